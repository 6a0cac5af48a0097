//! A run that crashes after any operation loses nothing that was acknowledged.

use crate::disk::{Disk, Image};
use crate::workload::{Engine, Outcome, run};
use crate::{profile, random};

/// Recovers a disk and checks it; returns the rounds that are there.
fn recover(image: Image, expected: &Outcome, context: &str) -> (Disk, Vec<u32>) {
    let disk = Disk::new(image);
    disk.record();
    let engine = Engine::open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(
        expected.allows(&engine.rounds),
        "{context}: expected {:?} and perhaps {:?}, found {:?}",
        expected.acknowledged,
        expected.trying,
        engine.rounds
    );
    (disk, engine.rounds)
}

/// Crashes a recorded run after each operation, and within each recovery after each operation.
fn crash_everywhere(ids: u32, most: usize, within: usize) -> usize {
    let mut random = random();
    let disk = Disk::default();
    disk.record();
    let outcome = run(&disk, 0..ids);
    assert_eq!((outcome.acknowledged.len(), outcome.error), (ids as usize, None));

    let mut count = 0;
    for (operation, (acknowledged, image)) in disk.history().into_iter().enumerate() {
        let all = (0..ids).collect::<Vec<_>>();
        let expected = Outcome {
            acknowledged: all[..acknowledged].to_vec(),
            trying: all.get(acknowledged).copied(),
            error: None,
        };
        let mut crashes = image.crashes(most, &mut random);
        // A killed process loses nothing that it wrote.
        crashes.push(image.clone());
        for crashed in crashes {
            let seed = random.0;
            let context = format!("operation {operation}, seed {seed}");
            let (disk, rounds) = recover(crashed, &expected, &context);
            count += 1;
            // What a recovery returned stays.
            let exactly = Outcome { acknowledged: rounds, trying: None, error: None };
            let (again, _) = recover(disk.image().without_unsynced(), &exactly, &context);
            assert_eq!(Engine::open(&again).unwrap().store.warnings(), [""; 0], "{context}");
            for (step, (_, image)) in disk.history().into_iter().enumerate() {
                for crashed in image.crashes(within, &mut random) {
                    let context = format!("{context}, then operation {step}");
                    let (disk, _) = recover(crashed, &expected, &context);
                    count += 1;
                    if random.below(8) == 0 {
                        go_on(&disk, &expected, &context);
                    }
                }
            }
        }
    }
    count
}

/// A recovered directory is as good as any.
fn go_on(disk: &Disk, expected: &Outcome, context: &str) {
    let mut engine = Engine::open(disk).unwrap();
    for id in 1_000..1_004 {
        engine.step(id, disk).unwrap();
    }
    engine.write_state().unwrap();
    engine.step(1_004, disk).unwrap();
    let rounds = engine.rounds.clone();
    assert!(expected.allows(&rounds[..rounds.len() - 5]), "{context}");
    drop(engine);
    let exactly = Outcome { acknowledged: rounds, trying: None, error: None };
    recover(disk.image().without_unsynced(), &exactly, context);
}

#[test]
fn nothing_acknowledged_is_lost() {
    let most = profile::scaled(24) as usize;
    let count = crash_everywhere(47, most, 4);
    assert!(count > 5_000, "{count}");
}

#[test]
fn a_crash_while_a_directory_is_created_leaves_a_new_one() {
    let mut random = random();
    let disk = Disk::default();
    disk.record();
    drop(Engine::open(&disk).unwrap());
    let history = disk.history();
    assert_eq!(history.len(), 4);
    for (_, image) in history {
        for crashed in image.crashes(200, &mut random) {
            let nothing = Outcome { acknowledged: Vec::new(), trying: None, error: None };
            recover(crashed, &nothing, "creation");
        }
    }
}
