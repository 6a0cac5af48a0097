//! The oracle: keeps every event and counts each window from scratch.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The bounds, and every key with its count in rank order.
pub(crate) type Answer = (i64, i64, Vec<(Vec<u8>, u64)>);

/// Returns the snapshots of one source by log time, and the number of late events.
pub(crate) fn by_log(
    events: &[(i64, Vec<u8>)],
    slide: i64,
    length: i64,
    lateness: i64,
) -> (Vec<Answer>, u64) {
    let end_of_pane = |time: i64| (time.div_euclid(slide) + 1) * slide;
    let mut newest = None;
    let mut late = 0;
    let mut kept: Vec<&(i64, Vec<u8>)> = Vec::new();
    for event in events {
        if newest.is_some_and(|newest| end_of_pane(event.0) <= newest - lateness) {
            late += 1;
            continue;
        }
        newest = newest.max(Some(event.0));
        kept.push(event);
    }
    let mut answers = Vec::new();
    let (Some(oldest), Some(newest)) =
        (kept.iter().map(|event| event.0).min(), kept.iter().map(|event| event.0).max())
    else {
        return (answers, late);
    };
    let mut end = end_of_pane(oldest);
    while end <= end_of_pane(newest) {
        let start = end - length;
        let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (time, key) in &kept {
            if (start..end).contains(time) {
                *counts.entry(key).or_default() += 1;
            }
        }
        let mut rows: Vec<_> = counts.into_iter().map(|(key, n)| (key.to_vec(), n)).collect();
        rows.sort_by_key(|(key, count)| (Reverse(*count), key.clone()));
        let empty = rows.is_empty();
        answers.push((start, end, rows));
        end += slide;
        if empty
            && let Some(next) = kept.iter().map(|event| event.0).filter(|&t| t >= end - slide).min()
        {
            end = end_of_pane(next);
        }
    }
    (answers, late)
}

/// The lines of a source, as times and keys; `None` is a line that does not match.
pub(crate) type Lines = Vec<Option<(i64, Vec<u8>)>>;

/// Counts the lines of several sources up to an end: fed, counted, late, not matching.
///
/// A counted line belongs to the pane of its time, any other line to the pane of the newest time
/// that its source has shown. Lines before any time belong to the first snapshot. The last snapshot
/// covers all lines.
pub(crate) fn lines_up_to(
    sources: &[Lines],
    end: i64,
    slide: i64,
    lateness: i64,
    last: bool,
) -> [u64; 4] {
    let end_of_pane = |time: i64| (time.div_euclid(slide) + 1) * slide;
    let mut lines = [0; 4];
    for source in sources {
        let mut newest: Option<i64> = None;
        for event in source {
            let reached = newest.map_or(i64::MIN, end_of_pane);
            let (what, pane) = match event {
                None => (3, reached),
                Some((time, _))
                    if newest.is_some_and(|newest| end_of_pane(*time) <= newest - lateness) =>
                {
                    (2, reached)
                }
                Some((time, _)) => {
                    newest = newest.max(Some(*time));
                    (1, end_of_pane(*time))
                }
            };
            if last || pane <= end {
                lines[0] += 1;
                lines[what] += 1;
            }
        }
    }
    lines
}
