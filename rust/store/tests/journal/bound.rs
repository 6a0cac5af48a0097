//! A long run takes no more of a disk than its bound.

use tailrace_store::{ErrorKind, LOG_BYTES, Load, Store};

use crate::disk::{Disk, Random};

/// Panes of a window, and rounds while a pane is open.
const WINDOW: i64 = 8;
const ROUNDS: i64 = 6;
const PANES: i64 = 48;
const PANE: usize = 300_000;
const ROUND: usize = 1 << 20;
const AGAIN: usize = 500_000;

#[test]
fn a_long_run_stays_below_its_bound() {
    let disk = Disk::default();
    let mut store = Store::open(disk.storage(), b"query", 77).unwrap();
    let mut random = Random(6);
    let noise = random.bytes(ROUND);
    let (mut states, mut largest) = (0_u64, 0);
    for number in 0..PANES {
        for _ in 0..ROUNDS {
            store.append(&noise).unwrap();
            if store.is_state_due() {
                let closed: Vec<i64> = ((number - WINDOW).max(0)..number).collect();
                let open = [(number, noise[..AGAIN].to_vec())];
                store.write_state(b"query", b"state", &closed, &open, None).unwrap();
                states += 1;
            }
            largest = largest.max(disk.image().size());
        }
        store.add_closed(number, &noise[..PANE]).unwrap();
    }
    // 16 rounds of 1 MiB are less than a log, with their headers more; 3 panes close meanwhile.
    let between = LOG_BYTES.div_ceil(ROUND as u64);
    assert_eq!(states, PANES.unsigned_abs() * 6 / between);
    let pane = (PANE + 72) as u64;
    let load = Load {
        window: WINDOW.unsigned_abs() * pane,
        closing: between.div_ceil(6) * pane,
        again: (AGAIN + 2_000) as u64,
        states: (WINDOW * ROUNDS).unsigned_abs().div_ceil(between),
        round: (ROUND + 72) as u64,
    };
    let bound = load.bound();
    assert!((largest as u64) < bound, "{largest} bytes, at most {bound}");
    // It is not far away, either.
    assert!(largest as u64 * 2 > bound, "{largest} bytes, at most {bound}");
}

#[test]
fn a_state_is_due_after_many_small_rounds() {
    let disk = Disk::default();
    let mut store = Store::open(disk.storage(), b"query", 77).unwrap();
    for count in 1..=tailrace_store::LOG_ROUNDS {
        assert!(!store.is_state_due());
        store.append(b"").unwrap();
        assert_eq!(store.counts().rounds, count);
    }
    assert!(store.is_state_due());
    drop(store);
    let mut store = Store::open(disk.storage(), b"query", 77).unwrap();
    assert!(store.is_state_due());
    store.write_state(b"query", b"state", &[], &[], None).unwrap();
    assert!(!store.is_state_due());
}

#[test]
fn a_state_that_does_not_fit_is_due_again_later() {
    let disk = Disk::default();
    let mut store = Store::open(disk.storage(), b"query", 77).unwrap();
    let noise = Random(8).bytes(ROUND);
    while !store.is_state_due() {
        store.append(&noise).unwrap();
    }
    disk.full_within(disk.operations()..disk.operations() + 20, 28);
    let error = store.write_state(b"query", &noise, &[], &[], None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(!store.is_state_due());
    while disk.operations() < 100 {
        store.append(b"").map_or_else(|error| assert_eq!(error.kind(), ErrorKind::Full), |()| ());
    }
    assert!(!store.is_state_due());
    store.append(&noise).unwrap();
    assert!(store.is_state_due());
    store.write_state(b"query", &noise, &[], &[], None).unwrap();
    assert!(!store.is_state_due());
}
