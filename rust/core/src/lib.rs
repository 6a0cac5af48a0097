//! The pure core of tailrace: bytes to lines, fields, panes, windows and ranked snapshots.
//!
//! ```text
//! chunk → Query::absorb → Delta → State::apply → State::next_snapshot → Snapshot
//! ```
//!
//! It knows no clock, file, socket or random number: time and the hash seed are arguments.
//!
//! ```
//! use tailrace_core::{
//!     Cell, Chunk, Clock, Format, Kind, Origin, Panes, Plan, Query, SECOND, Seed, Settings, State,
//!     Time,
//! };
//!
//! let panes = Some(Panes { width: SECOND, offset: 0, lateness: 0 });
//! let query = Query {
//!     by: vec!["url".into()],
//!     plan: Plan::counting(),
//!     time: Time::Log,
//!     panes,
//!     filter: None,
//!     seed: Seed::new(1),
//! };
//! let mut state = State::new(Settings::counting(panes, 300, Clock::Events, Kind::Text), 0);
//!
//! let log = br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#;
//! let origin = Origin { source: 0, format: Format::new("combined").unwrap(), now: 0, max_ahead: None };
//! let delta = query.absorb(Chunk::Lines(log), &origin).unwrap();
//! state.apply(&delta);
//! state.finish(false);
//! let snapshot = state.next_snapshot().unwrap();
//! let row: Vec<Cell> = snapshot.rows.columns.iter().map(|column| column.cell(0)).collect();
//! assert_eq!(row, [Cell::Text(b"/a"[..].into()), Cell::Int(1)]);
//! ```

mod aggregate;
mod answer;
mod composite;
mod delta;
mod detect;
mod events;
mod explain;
mod export;
mod filter;
mod flume;
mod format;
mod keys;
mod lines;
mod pane;
mod query;
mod rank;
mod rows;
mod state;
mod table;
mod text;
mod window;

pub use aggregate::{Ask, Cell, Known, LIST, Plan, PlanError, Takes};
pub use answer::Snapshot;
pub use delta::{Counters, Delta, Reason, Spent};
pub use detect::{Agreement, agreeing};
pub use events::{Batch, Batcher, Headers};
pub use explain::{Sample, explain, samples};
pub use export::{ImportError, Imported, Importer, Layout, Seen, Typed, VERSION as EXPORT_VERSION};
pub use filter::{Bound, Filter, FilterError, Verdict};
pub use flume::BatchError;
pub use format::{
    Field, Format, Kind, Line, MAX_TIME, NAMES, Name, Named, Reader, Reject, SECOND, SpecError,
    UnknownField, Value, write_iso,
};
pub use keys::{KeyBytes, Seed, number};
pub use lines::{Chunk, MAX_LINE_BYTES};
pub use query::{Events, Origin, Panes, Query, Time};
pub use rank::Order;
pub use rows::{Output, Rejects, write_rows};
pub use state::{Clock, Settings, State};
pub use table::{Bits, Column, Rejected, Rows, Table, Tabulator, Values, tabulate};
pub use text::lossy;
