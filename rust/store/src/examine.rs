//! Finds out what a directory holds, and what recovery has to do, without changing anything.

use std::collections::BTreeSet;

use crate::error::StoreError;
use crate::frame::{Fault, Kind, Source};
use crate::log::{Head, Rounds, read_head, read_rounds};
use crate::name::{Name, Series};
use crate::state::{State, names, newest_sequence, open, place_of, read_state};
use crate::storage::Storage;

/// What is there, all of it checked.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// `None` for a new directory.
    pub(crate) id: Option<u64>,
    pub(crate) description: Vec<u8>,
    /// `None` if the rounds begin without one.
    pub(crate) state: Option<State>,
    /// The logs after the state.
    pub(crate) logs: Vec<Rounds>,
    /// The last round.
    pub(crate) sequence: u64,
    /// The number of the log that goes on, or has to be created.
    pub(crate) log: u64,
    /// How long the log before that one is.
    pub(crate) previous: u64,
    /// Whether that log has to be created.
    pub(crate) create: bool,
    /// That the newest log is to be cut after its last round, in words.
    pub(crate) cut: Option<String>,
    /// What is to be removed first.
    pub(crate) remove: Vec<Name>,
    pub(crate) warnings: Vec<String>,
}

struct Files {
    logs: BTreeSet<u64>,
    states: BTreeSet<u64>,
    /// The newest log.
    newest: u64,
}

/// Reads and checks everything that a recovery needs.
pub(crate) fn examine(storage: &mut impl Storage) -> Result<Plan, StoreError> {
    let found = names(storage)?;
    let numbers = |series| {
        let of_series = found.iter().filter(move |name| name.series == series);
        of_series.map(|name| name.number).collect::<BTreeSet<_>>()
    };
    let (logs, states) = (numbers(Series::Log), numbers(Series::State));
    let Some(&newest) = logs.last() else {
        return match states.last() {
            None => Ok(Plan { log: 1, create: true, ..Plan::default() }),
            Some(&state) => Err(missing(storage, Name::log((state - 1).max(1)))),
        };
    };
    if let Some(&state) = states.range(newest + 2..).next() {
        return Err(missing(storage, Name::log(state - 1)));
    }
    let files = Files { logs, states, newest };

    let head = head_of(storage, newest, None)?;
    if head.is_none() && files.states.contains(&(newest + 1)) {
        // That file is created only after this head is durable.
        let place = place_of(storage, Name::log(newest));
        return Err(StoreError::damaged(&place, 0, Fault::Bytes.words()));
    }
    let id = match &head {
        Some(head) => head.header.id,
        None if newest == 1 => {
            let remove = vec![Name::log(1)];
            return Ok(Plan { log: 1, create: true, remove, ..Plan::default() });
        }
        None => id_of(storage, &found)?,
    };

    let mut plan = Plan { id: Some(id), log: newest, ..Plan::default() };
    let base = choose(storage, &files, id, &mut plan)?;
    if let Some(state) = &plan.state {
        plan.sequence = state.sequence;
        plan.description.clone_from(&state.description);
        plan.previous = state.log_len;
    }
    read_logs(storage, base, head, id, &mut plan)?;
    if files.states.contains(&(newest + 1)) {
        let name = Name::state(newest + 1);
        let place = place_of(storage, name);
        let file = open(storage, name)?;
        let written_after = newest_sequence(&Source::new(&file, name, &place)?, id)?;
        if written_after > plan.sequence {
            let log = place_of(storage, Name::log(newest));
            let end = plan.logs.last().map_or(0, |rounds| rounds.end);
            let what = format!(
                "expected the rounds up to {written_after}, after which {name} was written, \
                 found them up to {}",
                plan.sequence
            );
            return Err(StoreError::damaged(&log, end, &what));
        }
        plan.remove.push(name);
    }
    Ok(plan)
}

fn missing(storage: &impl Storage, name: Name) -> StoreError {
    StoreError::missing(&place_of(storage, name))
}

fn head_of(
    storage: &mut impl Storage,
    log: u64,
    id: Option<u64>,
) -> Result<Option<Head>, StoreError> {
    let name = Name::log(log);
    let place = place_of(storage, name);
    let file = open(storage, name)?;
    read_head(&Source::new(&file, name, &place)?, id)
}

/// The directory's id, of the newest file that has one.
fn id_of(storage: &mut impl Storage, names: &[Name]) -> Result<u64, StoreError> {
    let mut names = names.to_vec();
    names.sort_unstable_by_key(|name| std::cmp::Reverse(name.number));
    for &name in &names {
        let place = place_of(storage, name);
        let file = open(storage, name)?;
        if let Ok(header) = Source::new(&file, name, &place)?.header(0, None)? {
            return Ok(header.id);
        }
    }
    let newest = names.first().copied().unwrap_or(Name::log(1));
    Err(StoreError::damaged(&place_of(storage, newest), 0, Fault::Bytes.words()))
}

/// Chooses the newest whole state, and returns the number of the log after it.
///
/// A state counts only once its log exists, for then it is certainly durable.
fn choose(
    storage: &mut impl Storage,
    files: &Files,
    id: u64,
    plan: &mut Plan,
) -> Result<u64, StoreError> {
    let newest = files.newest;
    let mut problems = Vec::new();
    let mut candidates: Vec<u64> = files.states.range(..=newest).rev().copied().collect();
    candidates.push(1);
    for number in candidates {
        if number < newest && !files.states.contains(&newest) && problems.is_empty() {
            problems.push(missing(storage, Name::state(newest)));
        }
        let state = match number {
            1 => None,
            _ => match read_state(storage, number, id)? {
                Ok(state) => Some(state),
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            },
        };
        if let Some(log) = (number..=newest).find(|log| !files.logs.contains(log)) {
            problems.push(missing(storage, Name::log(log)));
            continue;
        }
        plan.state = state;
        let used = "an older state is used, and nothing is lost";
        let warn = |problem: &StoreError| format!("{}{used}", problem.finding());
        plan.warnings.extend(problems.iter().map(warn));
        return Ok(number);
    }
    Err(problems.into_iter().next().unwrap_or_else(|| missing(storage, Name::log(1))))
}

/// Checks the logs from a number on.
fn read_logs(
    storage: &mut impl Storage,
    base: u64,
    newest_head: Option<Head>,
    id: u64,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    let newest = plan.log;
    let mut heads = Vec::new();
    for log in base..newest {
        let Some(head) = head_of(storage, log, Some(id))? else {
            let place = place_of(storage, Name::log(log));
            return Err(StoreError::damaged(&place, 0, Fault::Bytes.words()));
        };
        heads.push(Some(head));
    }
    heads.push(newest_head);

    for (log, place_in_heads) in (base..=newest).zip(0..) {
        let name = Name::log(log);
        let place = place_of(storage, name);
        let Some(head) = heads.get(place_in_heads).and_then(Option::as_ref) else {
            // Only the newest one: it was not yet created when the process ended.
            plan.remove.push(name);
            plan.create = true;
            return Ok(());
        };
        if head.header.sequence != plan.sequence {
            let what = format!(
                "expected the rounds after {}, found those after {}",
                plan.sequence, head.header.sequence
            );
            return Err(StoreError::damaged(&place, 0, &what));
        }
        let file = open(storage, name)?;
        let source = Source::new(&file, name, &place)?;
        let (rounds, fault) = read_rounds(&source, &head.header)?;
        let complete = heads.get(place_in_heads + 1).and_then(Option::as_ref).map(|h| h.previous);
        if let Some(fault) = fault {
            let is_rot = log < newest || source.proves_synced(rounds.end, Some(id), rounds.last)?;
            if is_rot {
                return Err(StoreError::damaged(&place, rounds.end, fault.words()));
            }
            plan.cut = Some(format!(
                "{place}: byte {}: the last {} bytes are not a whole round, as after a crash \
                 while one was written; they are cut",
                rounds.end,
                source.len - rounds.end
            ));
        } else if let Some(len) = complete.filter(|&len| len != rounds.end) {
            let what = format!("expected {len} bytes, as when the next log began, found fewer");
            return Err(StoreError::damaged(&place, rounds.end.min(len), &what));
        }
        plan.sequence = rounds.last;
        plan.description.clone_from(&head.description);
        plan.previous = rounds.end;
        plan.logs.push(rounds);
    }
    Ok(())
}

/// Words for the kinds of frames.
pub(crate) fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Head => "head",
        Kind::Round => "round",
        Kind::Closed => "closed pane",
        Kind::Open => "open pane",
        Kind::Totals => "totals",
        Kind::State => "state",
    }
}
