//! What the aggregates cost: run with `--release -- --ignored --nocapture costs`.

use super::count::Count;
use super::ends::End;
use super::extreme::Extreme;
use super::harness::{Event, Held, measure};
use super::ratio::Ratio;
use super::sum::Sum;
use super::variance::Variance;

/// The same numbers every time.
fn numbers(of: impl Fn(f64) -> Held) -> Vec<Event> {
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
fn costs() {
    let floats = numbers(|number| Held::Float((number * 1e6).round() / 1e3));
    let ints = numbers(|number| Held::Int((number * 1e6) as i64));
    let texts = numbers(|number| Held::Text(format!("{number}").into_bytes()));
    let huge = numbers(|number| Held::Float((number * 600.0).exp2()));
    measure(&Count, "count", &floats);
    measure(&Sum, "sum", &floats);
    measure(&Sum, "sum of whole numbers", &ints);
    measure(&Extreme::largest(), "max", &floats);
    measure(&Extreme::largest(), "max of whole numbers", &ints);
    measure(&Extreme::largest(), "max of falling numbers", &falling());
    measure(&End::first(), "first", &floats);
    measure(&End::last(), "last", &floats);
    measure(&End::last(), "last of text", &texts);
    measure(&Ratio, "ratio", &floats);
    measure(&Variance, "var", &floats);
    measure(&Variance, "std", &floats);
    measure(&Variance, "var of whole numbers", &ints);
    measure(&Variance, "var of all sizes", &huge);
}

/// The worst that can come to `max`: every pane could still be the answer, until one beats all.
fn falling() -> Vec<Event> {
    (0..2_000_000)
        .map(|number| {
            let pane = number / 10_000;
            let value = if pane == 199 { 1e9 } else { -f64::from(number) };
            Event::of(Held::Float(value))
        })
        .collect()
}
