//! Measures the cost of each aggregate. Run
//! `cargo test --release -p tailrace-core --lib measure_aggregates -- --ignored --nocapture`.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "arbitrary numbers"
)]

use super::Windowed;
use super::candidates::Candidates;
use super::count::Count;
use super::extreme::Extreme;
use super::first_last::FirstLast;
use super::harness::{Event, TestValue, measure};
use super::number::Number;
use super::ratio::Ratio;
use super::sum::Sum;
use super::variance::Variance;

/// Returns the same numbers on every run.
fn numbers(of: impl Fn(f64) -> TestValue) -> Vec<Event> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let event = |value, second| Event { value, second, time: Some(0) };
    (0..100_000).map(|_| event(of(next()), of(next()))).collect()
}

#[test]
#[ignore = "it measures"]
fn measure_aggregates() {
    let floats = numbers(|number| TestValue::Float((number * 1e6).round() / 1e3));
    let ints = numbers(|number| TestValue::Int((number * 1e6) as i64));
    let texts = numbers(|number| TestValue::Text(format!("{number}").into_bytes()));
    let huge = numbers(|number| TestValue::Float((number * 600.0).exp2()));
    measure(&Count, "count", &floats);
    measure(&Sum, "sum", &floats);
    measure(&Sum, "sum of whole numbers", &ints);
    measure(&Extreme::largest(), "max", &floats);
    measure(&Extreme::largest(), "max of whole numbers", &ints);
    worst_slide_of_max();
    measure(&FirstLast::first(), "first", &floats);
    measure(&FirstLast::last(), "last", &floats);
    measure(&FirstLast::last(), "last of text", &texts);
    measure(&Ratio, "ratio", &floats);
    measure(&Variance, "var", &floats);
    measure(&Variance, "std", &floats);
    measure(&Variance, "var of whole numbers", &ints);
    measure(&Variance, "var of all sizes", &huge);
}

/// Every pane of 100 could still hold the maximum, until one new value beats them all.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]
fn worst_slide_of_max() {
    const KEYS: usize = 1_000;
    let max = Extreme::largest();
    let slide = |totals: &mut [_], number: i64, pane: i64| {
        let start = std::time::Instant::now();
        for total in totals {
            max.enter(total, &Some(Number::Int(number)), pane);
            max.leave(total, &None, pane - 100);
        }
        start.elapsed().as_nanos() / KEYS as u128
    };
    let (mut usual, mut worst) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let mut totals: Vec<_> = (0..KEYS).map(|_| Candidates::default()).collect();
        usual.extend((0..400).map(|pane| slide(&mut totals, -pane, pane)).skip(200));
        worst.push(slide(&mut totals, 1, 400));
    }
    usual.sort_unstable();
    worst.sort_unstable();
    let (usual, worst) = (usual[usual.len() / 2], worst[worst.len() / 2]);
    println!("max of falling numbers: key in and out {usual} ns, one that beats 100 {worst} ns");
}
