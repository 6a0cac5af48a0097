//! An aggregate's state as columns: partials beside the entries of panes, totals beside keys.

use std::any::Any;
use std::fmt::Debug;

use super::{Aggregate, Cell, Input, Scope, Windowed};

/// The partials of a pane or of a delta, one for each of its entries.
pub(crate) trait Column: Any + Debug + Send + Sync {
    /// A column of the same aggregate without a partial.
    fn fresh(&self) -> Box<dyn Column>;

    /// Makes room for as many entries; new ones hold nothing.
    fn resize(&mut self, len: usize);

    /// Adds an event to an entry.
    fn add(&mut self, entry: usize, input: &Input<'_>);

    /// Merges partials of another column of the same aggregate: each into the entry named first, the
    /// partial of the entry named second.
    fn merge(&mut self, other: &dyn Column, pairs: &[(u32, u32)]);

    /// Frees what was reserved for entries that did not come.
    fn shrink(&mut self);

    /// Writes the partial of an entry.
    fn encode(&self, entry: usize, out: &mut Vec<u8>);

    /// Reads a partial and merges it into that of an entry; nothing where the bytes are none.
    fn decode(&mut self, entry: usize, bytes: &mut &[u8]) -> Option<()>;

    /// Totals for a window whose panes leave again, or for one that only grows.
    fn totals(&self, grows: bool) -> Box<dyn Totals>;
}

/// What a window holds, one for each key number.
pub(crate) trait Totals: Debug + Send + Sync {
    /// The same totals again.
    fn copy(&self) -> Box<dyn Totals>;

    /// Takes a pane in. Pairs are of a key and an entry of the column.
    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], pane: i64);

    /// Gives back the oldest pane.
    fn leave(&mut self, column: &dyn Column, entries: &[(u32, u32)], pane: i64);

    /// Forgets a key that holds no event any more.
    fn forget(&mut self, key: u32);

    /// Merges what only grows into a column. Pairs are of an entry and a key.
    fn merge_into(&self, column: &mut dyn Column, pairs: &[(u32, u32)]);

    /// What there is to say of a key.
    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell;
}

/// The partials of one aggregate.
#[derive(Clone, Debug)]
pub(super) struct PartialColumn<A: Aggregate> {
    aggregate: A,
    partials: Vec<A::Partial>,
}

impl<A: Windowed> PartialColumn<A> {
    pub(super) fn column(aggregate: A) -> Box<dyn Column> {
        Box::new(Self { aggregate, partials: Vec::new() })
    }
}

fn partials_of<A: Aggregate>(column: &dyn Column) -> &[A::Partial] {
    let column: &dyn Any = column;
    // All columns at one place are of one aggregate; of another one there is nothing to take.
    column.downcast_ref::<PartialColumn<A>>().map_or(&[], |column| &column.partials)
}

impl<A: Windowed> Column for PartialColumn<A> {
    fn fresh(&self) -> Box<dyn Column> {
        Self::column(self.aggregate.clone())
    }

    fn resize(&mut self, len: usize) {
        self.partials.resize_with(len, A::Partial::default);
    }

    fn add(&mut self, entry: usize, input: &Input<'_>) {
        self.aggregate.add(at(&mut self.partials, entry), input);
    }

    fn merge(&mut self, other: &dyn Column, pairs: &[(u32, u32)]) {
        let partials = partials_of::<A>(other);
        for &(into, from) in pairs {
            if let Some(partial) = partials.get(from as usize) {
                self.aggregate.merge(at(&mut self.partials, into as usize), partial);
            }
        }
    }

    fn shrink(&mut self) {
        self.partials.shrink_to_fit();
    }

    fn encode(&self, entry: usize, out: &mut Vec<u8>) {
        self.aggregate.encode(&self.partials[entry], out);
    }

    fn decode(&mut self, entry: usize, bytes: &mut &[u8]) -> Option<()> {
        let partial = self.aggregate.decode(bytes)?;
        self.aggregate.merge(at(&mut self.partials, entry), &partial);
        Some(())
    }

    fn totals(&self, grows: bool) -> Box<dyn Totals> {
        let aggregate = self.aggregate.clone();
        if grows {
            Box::new(Self { aggregate, partials: Vec::new() })
        } else {
            Box::new(SlidingTotals { aggregate, totals: Vec::new() })
        }
    }
}

/// Totals of panes that come and go.
#[derive(Clone, Debug)]
struct SlidingTotals<A: Windowed> {
    aggregate: A,
    totals: Vec<A::Total>,
}

impl<A: Windowed> Totals for SlidingTotals<A> {
    fn copy(&self) -> Box<dyn Totals> {
        Box::new(self.clone())
    }

    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], pane: i64) {
        let partials = partials_of::<A>(column);
        for &(key, entry) in entries {
            let total = at(&mut self.totals, key as usize);
            self.aggregate.enter(total, &partials[entry as usize], pane);
        }
    }

    fn leave(&mut self, column: &dyn Column, entries: &[(u32, u32)], pane: i64) {
        let partials = partials_of::<A>(column);
        for &(key, entry) in entries {
            let total = at(&mut self.totals, key as usize);
            self.aggregate.leave(total, &partials[entry as usize], pane);
        }
    }

    fn forget(&mut self, key: u32) {
        *at(&mut self.totals, key as usize) = A::Total::default();
    }

    /// What leaves again is in panes.
    fn merge_into(&self, _column: &mut dyn Column, _pairs: &[(u32, u32)]) {}

    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell {
        self.totals.get(key as usize).map_or(Cell::Null, |total| self.aggregate.emit(total, scope))
    }
}

/// Totals of everything since the start are partials beside keys.
impl<A: Windowed> Totals for PartialColumn<A> {
    fn copy(&self) -> Box<dyn Totals> {
        Box::new(self.clone())
    }

    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], _pane: i64) {
        self.merge(column, entries);
    }

    /// Nothing ever leaves.
    fn leave(&mut self, _column: &dyn Column, _entries: &[(u32, u32)], _pane: i64) {}

    fn forget(&mut self, key: u32) {
        *at(&mut self.partials, key as usize) = A::Partial::default();
    }

    fn merge_into(&self, column: &mut dyn Column, pairs: &[(u32, u32)]) {
        column.merge(self, pairs);
    }

    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell {
        let partial = self.partials.get(key as usize);
        partial.map_or(Cell::Null, |partial| self.aggregate.emit_partial(partial, scope))
    }
}

/// What stands at a place, which is made if there is none so far.
#[inline]
fn at<T: Default>(all: &mut Vec<T>, place: usize) -> &mut T {
    if place >= all.len() {
        all.resize_with(place + 1, T::default);
    }
    &mut all[place]
}
