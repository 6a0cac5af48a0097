//! Deltas to bytes.

use super::agree::code_of;
use super::order::{Ranked, Sorted};
use super::{
    COUNTED, FILTERED, FIRST, LATE, Layout, MAGIC, NEWEST, OLDEST, PAST, REJECTED, SINCE_START,
    Typed, VERSION,
};
use crate::ground::{Counters, Reason};
use crate::windows::bytes::{put, put_signed, put_text};
use crate::windows::delta::Delta;

impl Layout {
    /// Writes a delta, which is of this layout.
    pub fn encode(&self, delta: &Delta) -> Vec<u8> {
        let mut out = self.head(delta);
        let keys = Ranked::new(delta);
        keys.write(delta, &mut out);
        let sorted = Sorted::new(delta, &keys);
        put(&mut out, sorted.runs().count() as u64);
        let mut before = None;
        let mut start = 0;
        for run in sorted.runs() {
            let pane = run.first().map_or(0, |entry| sorted.panes[entry.pane as usize]);
            match before {
                None => put_signed(&mut out, pane),
                Some(before) => put(&mut out, pane.abs_diff(before)),
            }
            before = Some(pane);
            put(&mut out, run.len() as u64);
            let mut last = 0;
            for entry in run {
                put(&mut out, u64::from(entry.key - last));
                put(&mut out, entry.count.into());
                last = entry.key;
            }
            for column in sorted.columns(delta) {
                for place in start..start + run.len() {
                    column.encode(sorted.part(place), &mut out);
                }
            }
            start += run.len();
        }
        out
    }

    /// Writes all of a delta but what is in its panes.
    pub(crate) fn head(&self, delta: &Delta) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.push(self.panes.is_some().into());
        if let Some(panes) = self.panes {
            put_signed(&mut out, panes.width);
            put_signed(&mut out, panes.offset);
        }
        put(&mut out, self.keys.len() as u64);
        for Typed { name, kind } in &self.keys {
            put_text(&mut out, name.as_bytes());
            out.push(code_of(*kind));
        }
        put(&mut out, self.values.len() as u64);
        for (name, kind) in self.plan.fields().iter().zip(&self.values) {
            put_text(&mut out, name.as_bytes());
            out.push(code_of(*kind));
        }
        put(&mut out, self.plan.column_names().len() as u64);
        for name in self.plan.column_names() {
            put_text(&mut out, name.as_bytes());
        }
        put(&mut out, delta.source as u64);
        let past = delta.past;
        let first = past.and_then(|past| past.first);
        let flags = [
            (delta.reach.oldest().is_some(), OLDEST),
            (delta.reach.newest().is_some(), NEWEST),
            (past.is_some(), PAST),
            (first.is_some(), FIRST),
            (past.is_some_and(|past| past.since_start), SINCE_START),
        ];
        out.push(flags.iter().filter(|flag| flag.0).map(|flag| flag.1).sum());
        let whole_from = past.map(|past| past.whole_from);
        let times = [delta.reach.oldest(), delta.reach.newest(), whole_from, first];
        for number in times.into_iter().flatten() {
            put_signed(&mut out, number);
        }
        put_lost(&mut out, &delta.lost);
        out
    }
}

/// Lines that are in no pane, those of one pane together.
fn put_lost(out: &mut Vec<u8>, lost: &[(Option<i64>, Counters)]) {
    let mut by_pane = std::collections::BTreeMap::<Option<i64>, Counters>::new();
    for (pane, lines) in lost {
        by_pane.entry(*pane).or_default().add(lines);
    }
    put(out, by_pane.len() as u64);
    for (pane, lines) in by_pane {
        out.push(pane.is_some().into());
        if let Some(pane) = pane {
            put_signed(out, pane);
        }
        let mut counts =
            vec![(COUNTED, lines.counted), (LATE, lines.late), (FILTERED, lines.filtered)];
        let reasons = (REJECTED..).zip(Reason::NAMES);
        counts.extend(reasons.map(|(code, (_, reason))| (code, lines.rejected(reason))));
        counts.retain(|&(_, count)| count > 0);
        put(out, counts.len() as u64);
        for (code, count) in counts {
            out.push(code);
            put(out, count);
        }
    }
}
