//! What a state is made by.

use super::aggregate::Plan;
use super::rank::Order;
use crate::ground::{Kind, Panes};

/// What moves the watermark, and with it which ends are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `advance`, the clock of the machine: every end is answered.
    Arrival,
    /// The events of the sources: empty windows are answered once, then jumped.
    Events,
    /// `advance`, minus lateness: as by event time.
    Manual,
}

/// What is kept of the past, and how it is answered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The panes, or nothing for one answer of everything.
    pub panes: Option<Panes>,
    /// How far each answer looks back, in panes; nothing is since the start.
    pub lengths: Vec<Option<i64>>,
    /// How many panes there are from one answer to the next.
    pub step: i64,
    /// What moves the watermark.
    pub clock: Clock,
    /// How many sources there are.
    pub sources: usize,
    /// How many rows a snapshot has at most.
    pub limit: Option<usize>,
    /// By what rows are ranked.
    pub order: Order,
    /// Whether answers say how keys moved since the last one.
    pub changes: bool,
    /// How many keys a window has at most; the others are one row.
    pub max_keys: Option<usize>,
    /// What is asked of each key.
    pub plan: Plan,
    /// What the fields of keys are.
    pub keys: Vec<Kind>,
    /// What the values of the plan's fields are.
    pub values: Vec<Kind>,
    /// Which of the fields of keys, and of the plan, are bytes and no text.
    pub raw: [Vec<bool>; 2],
}

impl Settings {
    /// Counts of keys of one field, largest first.
    pub fn counting(panes: Option<Panes>, length: i64, clock: Clock, kind: Kind) -> Self {
        Self {
            panes,
            lengths: vec![Some(length)],
            step: 1,
            clock,
            sources: 1,
            limit: None,
            order: Order { by: None, ascending: false },
            changes: false,
            max_keys: None,
            plan: Plan::counting(),
            keys: vec![kind],
            values: Vec::new(),
            raw: [Vec::new(), Vec::new()],
        }
    }

    /// The longest look back that ends.
    pub(super) fn longest(&self) -> Option<i64> {
        self.lengths.iter().copied().flatten().max()
    }
}
