//! The state of an aggregate as columns: partials next to the entries of panes, totals next to
//! keys.

use std::any::Any;
use std::fmt::Debug;

use super::{Aggregate, Cell, Input, Scope, Windowed};

/// The partials of a pane or a delta, one for each of its entries.
pub(crate) trait Column: Any + Debug + Send + Sync {
    /// Returns an empty column of the same aggregate.
    fn fresh(&self) -> Box<dyn Column>;

    /// Resizes to this many entries; new ones are empty.
    fn resize(&mut self, len: usize);

    /// Adds an event to an entry.
    fn add(&mut self, entry: usize, input: &Input<'_>);

    /// Merges partials of another column of the same aggregate. Each pair names an entry here and
    /// the entry of `other` to merge into it.
    fn merge(&mut self, other: &dyn Column, pairs: &[(u32, u32)]);

    /// Frees memory that was reserved for more entries.
    fn shrink(&mut self);

    /// Encodes the partial of an entry.
    fn encode(&self, entry: usize, out: &mut Vec<u8>);

    /// Decodes a partial and merges it into an entry; `None` if the bytes do not begin with a
    /// partial.
    fn decode(&mut self, entry: usize, bytes: &mut &[u8]) -> Option<()>;

    /// Returns empty totals, for a window that drops panes or for one that only grows.
    fn totals(&self, grows: bool) -> Box<dyn Totals>;
}

/// What a window stores, by key number.
pub(crate) trait Totals: Debug + Send + Sync {
    /// Returns what these totals hold for some keys, which may then change.
    fn part(&mut self, keys: &[u32]) -> Box<dyn Any>;

    /// Puts the part of these keys back.
    fn restore(&mut self, keys: &[u32], part: Box<dyn Any>);

    /// Adds a pane. Each pair is a key and an entry of the column.
    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], pane: i64);

    /// Removes the oldest pane.
    fn leave(&mut self, column: &dyn Column, entries: &[(u32, u32)], pane: i64);

    /// Resets a key that has no events left.
    fn forget(&mut self, key: u32);

    /// Merges totals that only grow into a column. Each pair is an entry and a key.
    fn merge_into(&self, column: &mut dyn Column, pairs: &[(u32, u32)]);

    /// Computes the result of a key.
    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell;

    /// Returns totals whose key 0 has what all keys have together, if merging costs little.
    fn whole(&self) -> Option<Box<dyn Totals>>;
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

    /// Returns totals that grow, of the key 0.
    fn single(aggregate: &A, partial: A::Partial) -> Box<dyn Totals> {
        Box::new(Self { aggregate: aggregate.clone(), partials: vec![partial] })
    }
}

fn partials_of<A: Aggregate>(column: &dyn Column) -> &[A::Partial] {
    let column: &dyn Any = column;
    // Columns at the same place belong to the same aggregate. There is nothing to merge from a
    // column of another one.
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
        match self.partials.get(entry) {
            Some(partial) => self.aggregate.encode(partial, out),
            // Nothing was added to it.
            None => self.aggregate.encode(&A::Partial::default(), out),
        }
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

/// Totals of panes that enter and leave.
#[derive(Clone, Debug)]
struct SlidingTotals<A: Windowed> {
    aggregate: A,
    totals: Vec<A::Total>,
}

impl<A: Windowed> Totals for SlidingTotals<A> {
    fn part(&mut self, keys: &[u32]) -> Box<dyn Any> {
        part_of(&self.totals, keys)
    }

    fn restore(&mut self, keys: &[u32], part: Box<dyn Any>) {
        put_back(&mut self.totals, keys, part);
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

    /// Panes store everything that can still leave.
    fn merge_into(&self, _column: &mut dyn Column, _pairs: &[(u32, u32)]) {}

    fn emit(&self, key: u32, scope: &Scope<'_>) -> Cell {
        self.totals.get(key as usize).map_or(Cell::Null, |total| self.aggregate.emit(total, scope))
    }

    fn whole(&self) -> Option<Box<dyn Totals>> {
        let all = self.aggregate.whole_of(self.totals.iter())?;
        Some(PartialColumn::single(&self.aggregate, all))
    }
}

/// Totals since the start are partials next to keys.
impl<A: Windowed> Totals for PartialColumn<A> {
    fn part(&mut self, keys: &[u32]) -> Box<dyn Any> {
        part_of(&self.partials, keys)
    }

    fn restore(&mut self, keys: &[u32], part: Box<dyn Any>) {
        put_back(&mut self.partials, keys, part);
    }

    fn enter(&mut self, column: &dyn Column, entries: &[(u32, u32)], _pane: i64) {
        self.merge(column, entries);
    }

    /// Nothing leaves totals since the start.
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

    fn whole(&self) -> Option<Box<dyn Totals>> {
        let all = self.aggregate.whole(self.partials.iter())?;
        Some(Self::single(&self.aggregate, all))
    }
}

/// Returns copies of the items at some places; what does not exist is empty.
fn part_of<T: Clone + Default + 'static>(all: &[T], places: &[u32]) -> Box<dyn Any> {
    let copy = |&place: &u32| all.get(place as usize).cloned().unwrap_or_default();
    Box::new(places.iter().map(copy).collect::<Vec<T>>())
}

fn put_back<T: 'static>(all: &mut [T], places: &[u32], part: Box<dyn Any>) {
    let Ok(part) = part.downcast::<Vec<T>>() else { return };
    for (&place, item) in places.iter().zip(*part) {
        // What still does not exist was not changed.
        if let Some(own) = all.get_mut(place as usize) {
            *own = item;
        }
    }
}

/// Returns the item at a place, and creates it if it does not exist.
#[inline]
fn at<T: Default>(all: &mut Vec<T>, place: usize) -> &mut T {
    if place >= all.len() {
        all.resize_with(place + 1, T::default);
    }
    &mut all[place]
}
