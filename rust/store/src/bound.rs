//! Limits, and how much of a disk a journal takes at most.

use crate::frame::HEADER;

/// A state is due when the log since the last one has grown over this many bytes, or over twice
/// the part of a state that is written again each time, whichever is more.
pub const LOG_BYTES: u64 = 16 << 20;

/// A state is due after this many rounds.
pub const LOG_ROUNDS: u64 = 50_000;

/// The most bytes of a round, a pane or a state.
pub const FRAME_LIMIT: u64 = u32::MAX as u64;

/// How much a query writes, all sizes in bytes as they are on the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// All closed panes of the longest window.
    pub window: u64,
    /// The panes that close between two states.
    pub closing: u64,
    /// The part of a state that is written again each time: open panes, totals and counters.
    pub again: u64,
    /// How many states are written while a pane is in the window.
    pub states: u64,
    /// The largest round.
    pub round: u64,
}

impl Load {
    /// The most bytes that the files of a journal take.
    ///
    /// The two logs that are kept are each as long as what makes a state due, and a round more.
    /// The panes are those of the window of the older state, those that closed since, and those
    /// in the oldest file that have left; each file with a pane also has a state.
    pub fn bound(&self) -> u64 {
        let log = LOG_BYTES.max(2 * self.again) + self.round + 2 * HEADER as u64;
        self.window + 4 * self.closing + (self.states + 3) * self.again + 2 * log
    }
}
