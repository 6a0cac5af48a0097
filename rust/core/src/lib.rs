//! The pure core of tailrace: turns bytes into lines, fields, panes, windows and ranked snapshots.
//!
//! ```text
//! chunk → Query::absorb → Delta → State::apply → State::next_snapshot → Snapshot
//! ```
//!
//! [`Engine`] combines these steps and can be shared by threads.
//!
//! The core uses no clock, file, socket or random number: time and the hash seed are arguments.
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
//!     kinds: Vec::new(),
//!     plan: Plan::counting(),
//!     time: Time::Log,
//!     time_field: "time".into(),
//!     panes,
//!     filter: None,
//!     conditions: Vec::new(),
//!     seed: Seed::new(1),
//! };
//! let mut state = State::new(Settings::counting(panes, 300, Clock::Events, Kind::Text), 0);
//!
//! let log = br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#;
//! let origin = Origin::new(0, Format::new("combined").unwrap(), 0);
//! let delta = query.absorb(Chunk::Lines(log), &origin).unwrap();
//! state.apply(&delta);
//! state.finish(false);
//! let snapshot = state.next_snapshot().unwrap();
//! let row: Vec<Cell> = snapshot.rows.columns.iter().map(|column| column.cell(0)).collect();
//! assert_eq!(row, [Cell::Text(b"/a"[..].into()), Cell::Int(1)]);
//! ```

mod engine;
mod ground;
mod query;
mod text;
mod windows;

pub use engine::{Engine, EngineError, Logs, Replayed};
pub use ground::{
    Bits, Cell, Column, Counters, DurationError, InputError, Kind, MAX_TIME, NamedRows, Panes,
    Reason, Rows, SECOND, Value, Values, lossy, parse_duration, uuid_text,
};
pub use query::{Events, Origin, Query, Time};
pub use text::detect::{MatchCounts, count_matches};
pub use text::events::{Batch, Batcher, Headers};
pub use text::explain::{ExplainValue, RejectSample, explain, sample_rejects};
pub use text::filter::{BoundFilter, Filter, FilterError, Verdict};
pub use text::first_lines::first_lines;
pub use text::flume::BatchError;
pub use text::format::{
    Field, Format, LineKind, NamedFormat, Reader, Reject, STANDARD_FIELDS, STEPS, SpecError,
    StandardField, StepAbout, StepProblem, Topic, UnknownField, ZoneTable, aliases, found_fields,
    write_iso,
};
pub use text::in_line::InLine;
pub use text::lines::{Chunk, MAX_LINE_BYTES};
pub use text::lookups::{DevicePattern, Lookups};
pub use text::rejects::Rejects;
pub use text::rows::{Output, terminal_controls, write_rows};
pub use text::table::{Rejected, Table, TableBuilder, parse_chunk};
pub use windows::aggregate::{
    AGGREGATES, AcceptedValues, AggregateInfo, AggregateSpec, Plan, PlanError,
};
pub use windows::delta::Delta;
pub use windows::export::{ImportError, Imported, Layout, SeenKind, TypedField};
pub use windows::export_table::InputTable;
pub use windows::input_columns::{InputArray, InputColumn, merge_kinds};
pub use windows::journal::{
    Answered, Changes, Content, RECORDS_VERSION, RecordError, SavedState, encode_content,
};
pub use windows::keys::{KeyBytes, Seed, encode_int};
pub use windows::rank::{Order, OrderBy};
pub use windows::settings::{Clock, Settings};
pub use windows::snapshot::{ClosedPane, Snapshot};
pub use windows::state::State;
