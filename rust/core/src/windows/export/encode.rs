//! Encodes deltas as bytes.

use super::compatibility::code_of;
use super::order::{SortedEntries, SortedKeys};
use super::{
    ABANDONED, COUNTED, EVICTED, FILTERED, FIRST, LATE, Layout, MAGIC, NEWEST, OLDEST, REJECTED,
    RESENT, SINCE_START, TypedField, VERSION,
};
use crate::ground::{Counters, Reason};
use crate::windows::delta::Delta;
use crate::windows::varint::{put_signed, put_text, put_varint};

impl Layout {
    /// Encodes a delta of this layout.
    pub fn encode(&self, delta: &Delta) -> Vec<u8> {
        let mut out = self.header(delta);
        let keys = SortedKeys::new(delta);
        keys.write(delta, &mut out);
        let sorted = SortedEntries::new(delta, &keys);
        put_varint(&mut out, sorted.runs().count() as u64);
        let mut before = None;
        let mut start = 0;
        for run in sorted.runs() {
            let pane = run.first().map_or(0, |entry| sorted.panes[entry.pane as usize]);
            match before {
                None => put_signed(&mut out, pane),
                Some(before) => put_varint(&mut out, pane.abs_diff(before)),
            }
            before = Some(pane);
            put_varint(&mut out, run.len() as u64);
            let mut last = 0;
            for entry in run {
                put_varint(&mut out, u64::from(entry.key - last));
                put_varint(&mut out, entry.count.into());
                last = entry.key;
            }
            for column in sorted.columns(delta) {
                for place in start..start + run.len() {
                    column.encode(sorted.partial_at(place), &mut out);
                }
            }
            start += run.len();
        }
        out
    }

    /// Encodes everything except the panes.
    pub(crate) fn header(&self, delta: &Delta) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.push(self.panes.is_some().into());
        if let Some(panes) = self.panes {
            put_signed(&mut out, panes.width);
            put_signed(&mut out, panes.offset);
        }
        put_varint(&mut out, self.keys.len() as u64);
        for TypedField { name, kind } in &self.keys {
            put_text(&mut out, name.as_bytes());
            out.push(code_of(*kind));
        }
        put_varint(&mut out, self.values.len() as u64);
        for (name, kind) in self.plan.fields().iter().zip(&self.values) {
            put_text(&mut out, name.as_bytes());
            out.push(code_of(*kind));
        }
        put_varint(&mut out, self.plan.column_names().len() as u64);
        for name in self.plan.column_names() {
            put_text(&mut out, name.as_bytes());
        }
        put_varint(&mut out, delta.source as u64);
        let evicted = delta.evicted;
        let first = evicted.and_then(|evicted| evicted.first);
        let flags = [
            (delta.time_bounds.oldest().is_some(), OLDEST),
            (delta.time_bounds.newest().is_some(), NEWEST),
            (evicted.is_some(), EVICTED),
            (first.is_some(), FIRST),
            (evicted.is_some_and(|evicted| evicted.since_start), SINCE_START),
        ];
        out.push(flags.iter().filter(|flag| flag.0).map(|flag| flag.1).sum());
        let complete_from = evicted.map(|evicted| evicted.complete_from);
        let times = [delta.time_bounds.oldest(), delta.time_bounds.newest(), complete_from, first];
        for number in times.into_iter().flatten() {
            put_signed(&mut out, number);
        }
        put_lost(&mut out, &delta.skipped);
        out
    }
}

/// Encodes the counters of lines in no pane, summed by the pane that was reached.
fn put_lost(out: &mut Vec<u8>, skipped: &[(Option<i64>, Counters)]) {
    let mut by_pane = std::collections::BTreeMap::<Option<i64>, Counters>::new();
    for (pane, lines) in skipped {
        by_pane.entry(*pane).or_default().add(lines);
    }
    put_varint(out, by_pane.len() as u64);
    for (pane, lines) in by_pane {
        out.push(pane.is_some().into());
        if let Some(pane) = pane {
            put_signed(out, pane);
        }
        let mut counts = vec![
            (COUNTED, lines.counted),
            (LATE, lines.late),
            (FILTERED, lines.filtered),
            (ABANDONED, lines.abandoned),
            (RESENT, lines.resent),
        ];
        let reasons = (REJECTED..).zip(Reason::NAMES);
        counts.extend(reasons.map(|(code, (_, reason))| (code, lines.rejected(reason))));
        counts.retain(|&(_, count)| count > 0);
        put_varint(out, counts.len() as u64);
        for (code, count) in counts {
            out.push(code);
            put_varint(out, count);
        }
    }
}
