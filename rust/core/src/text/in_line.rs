//! Keeps the rows of a table in line with the lines that it is parsed from.

use crate::ground::{Bits, Column, Reason, Rows, Values};

/// What stands for lines without fields in a table whose rows are in line with its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InLine {
    /// Whether a rejected line has a row of nulls, and so has a line that is missing or a header,
    /// unless a filter selects lines. Otherwise none of them has a row.
    pub keep_rejected: bool,
    /// The name of a last column with the reason of each rejected line.
    pub reasons: Option<String>,
    /// The name of a last column that is true where bytes of a text were replaced, because they
    /// were not UTF-8.
    pub bad_utf8: Option<String>,
}

/// A row of a batch, both as numbers.
type Place = (usize, usize);

/// What is known of the rows so far.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    /// What was requested.
    pub(crate) how: InLine,
    /// The rows of rejected lines, in order.
    rejected: Vec<(Place, Reason)>,
    /// Whether each line has a row, up to the last one that has none.
    kept: Bits,
}

impl Placed {
    pub(crate) fn new(how: InLine) -> Self {
        Self { how, ..Self::default() }
    }

    /// The next row is that of a rejected line.
    pub(crate) fn reject(&mut self, place: Place, reason: Reason) {
        if self.how.reasons.is_some() {
            self.rejected.push((place, reason));
        }
    }

    /// A line has no row.
    pub(crate) fn leave_out(&mut self, line: usize) {
        self.fill(line);
        self.kept.push(false);
    }

    fn fill(&mut self, lines: usize) {
        (self.kept.len..lines).for_each(|_| self.kept.push(true));
    }

    /// Adds the requested columns to the batches, given the rows where text was replaced. Returns
    /// whether each line has a row, if some have none.
    pub(crate) fn finish(
        mut self,
        batches: &mut [Rows],
        replaced: Vec<Bits>,
        lines: usize,
    ) -> Option<Rows> {
        let mut rejected = self.rejected.iter().peekable();
        for ((number, batch), replaced) in batches.iter_mut().enumerate().zip(replaced) {
            if self.how.reasons.is_some() {
                let of_batch =
                    std::iter::from_fn(|| rejected.next_if(|((at, _), _)| *at == number));
                batch
                    .columns
                    .push(reasons(of_batch.map(|((_, row), why)| (*row, *why)), batch.len));
            }
            if self.how.bad_utf8.is_some() {
                batch.columns.push(flags(replaced));
            }
        }
        if self.kept.zeros == 0 {
            return None;
        }
        self.fill(lines);
        Some(Rows { len: lines, columns: vec![flags(self.kept)] })
    }
}

/// A column without nulls.
fn flags(flags: Bits) -> Column {
    let valid = Bits { len: flags.len, ..Bits::default() };
    Column { valid, values: Values::Flags(flags) }
}

/// A column of the reasons of these rows, null in all others.
fn reasons(rejected: impl Iterator<Item = (usize, Reason)>, len: usize) -> Column {
    let mut valid = Bits::zeros(len);
    let (mut offsets, mut data) = (Vec::with_capacity(len + 1), Vec::new());
    let mut end = 0;
    for (row, reason) in rejected {
        valid.set(row);
        offsets.resize(row + 1, end);
        data.extend_from_slice(reason.name().as_bytes());
        end = i32::try_from(data.len()).unwrap_or(i32::MAX);
    }
    offsets.resize(len + 1, end);
    Column { valid, values: Values::Text { offsets, data } }
}
