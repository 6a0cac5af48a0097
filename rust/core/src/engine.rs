//! A query together with its state, for the bindings.
//!
//! The input is chunks of logs, or events that are added in columns with a clock that is moved by
//! hand. Threads can share an engine: any number of them absorb at once, without holding the lock
//! on the state. What they have absorbed is added one delta at a time.

mod journal;

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

pub use self::journal::Replayed;
use crate::ground::{InputError, Kind, MAX_TIME, NamedRows, quoted};
use crate::query::{Events, Origin, Query, Time};
use crate::text::filter::{Filter, FilterError};
use crate::text::flume::BatchError;
use crate::text::format::{Format, STANDARD_FIELDS, SpecError, UnknownField};
use crate::text::lines::Chunk;
use crate::windows::aggregate::{AggregateSpec, Plan, PlanError};
use crate::windows::delta::{Delta, KeyCache};
use crate::windows::export::{Imported, Layout, SeenKind, TypedField};
use crate::windows::export_table::InputTable;
use crate::windows::input_columns::{InputArray, InputColumn, for_each, merge_column_kinds};
use crate::windows::journal::{Answered, Changes, Missing};
use crate::windows::keys::Seed;
use crate::windows::settings::{Clock, Settings};
use crate::windows::snapshot::ClosedPane;
use crate::windows::state::State;

/// The number of events per delta: few enough that the delta stays in the cache.
const EVENTS_AT_ONCE: usize = 1 << 16;

/// The field of the time of an event.
const TIME: &str = "time";

/// More threads than this do not absorb at once.
const MAX_CACHES: usize = 16;

/// A query, the state of its windows, and its cached key lookups.
#[derive(Debug)]
pub struct Engine {
    query: Query,
    /// The names of the columns of snapshots.
    names: Vec<String>,
    clock: Clock,
    /// Whether a snapshot covers everything since the start.
    since_start: bool,
    inner: Mutex<Inner>,
    /// The caches of applied deltas, for the next ones.
    caches: Mutex<Vec<KeyCache>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// The kinds of the key fields and of the values.
    keys: Vec<SeenKind>,
    values: Vec<SeenKind>,
    /// What a state that is being restored still needs.
    missing: Missing,
    /// What changed the state, if that is recorded, and how far it had answered before.
    recorded: Option<(Changes, Option<Answered>)>,
}

/// The logs that a query reads.
#[derive(Debug)]
pub struct Logs {
    /// The formats of their lines. Each field has the same type in all of them.
    pub formats: Vec<Format>,
    /// The time that events have.
    pub time: Time,
    /// The lines to select.
    pub filter: Option<Filter>,
    /// The number of logs.
    pub sources: usize,
    /// The start time, in microseconds since the epoch.
    pub start: i64,
}

/// Why a query is invalid or an input is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// An input has an invalid type or value.
    Input(InputError),
    /// The filter does not apply to these formats.
    Filter(FilterError),
    /// The chunk is malformed as a whole.
    Batch(BatchError),
    /// A panic left the state half changed.
    Unusable,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::Filter(error) => f.write_str(&error.message),
            Self::Batch(error) => error.fmt(f),
            Self::Unusable => f.write_str("unusable: an earlier call panicked"),
        }
    }
}

impl std::error::Error for EngineError {}

impl<E: Into<InputError>> From<E> for EngineError {
    fn from(error: E) -> Self {
        Self::Input(error.into())
    }
}

impl From<FilterError> for EngineError {
    fn from(error: FilterError) -> Self {
        Self::Filter(error)
    }
}

impl From<BatchError> for EngineError {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl From<PlanError> for InputError {
    fn from(error: PlanError) -> Self {
        Self::Value(error.0)
    }
}

impl From<SpecError> for InputError {
    fn from(error: SpecError) -> Self {
        Self::Value(error.message)
    }
}

impl From<UnknownField> for InputError {
    fn from(error: UnknownField) -> Self {
        Self::Value(format!("no field {} in this format", quoted(&error.name)))
    }
}

impl Engine {
    /// Creates an engine for logs. `random` seeds the hashes of keys and values.
    pub fn for_logs(
        by: Vec<String>,
        aggregates: Vec<AggregateSpec>,
        settings: Settings,
        random: u64,
        logs: Logs,
    ) -> Result<Self, EngineError> {
        let Logs { formats, time, filter, sources, start } = logs;
        let seed = Seed::new(random);
        let plan = Plan::new(aggregates, &seed)?;
        let conditions = plan.conditions().iter().map(|text| Filter::parse(text));
        let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
        for filter in filter.iter().chain(&conditions) {
            formats.iter().try_for_each(|format| filter.check(format))?;
        }
        let kinds = |fields: &[String], what| {
            let kinds = fields.iter().map(|field| kind_in(&formats, field, what));
            kinds.collect::<Result<Vec<_>, _>>()
        };
        let keys = kinds(&by, "count by")?;
        let values = kinds(plan.fields(), "aggregate")?;
        plan.kinds(&values)?;
        let clock = clock_of(time);
        let known = |kinds: Vec<Kind>| kinds.into_iter().map(|kind| Some((kind, false))).collect();
        let panes = settings.panes;
        let by = by.into_iter().map(Into::into).collect();
        let kinds = keys.clone();
        let time_field = TIME.into();
        let query = Query { by, kinds, plan, time, time_field, panes, filter, conditions, seed };
        let settings = Settings { clock, sources, ..settings };
        Ok(Self::new(query, settings, [known(keys), known(values)], start))
    }

    /// Creates an engine that counts all lines by pane, for [`pane_table`](Self::pane_table).
    pub fn for_panes(
        by: Vec<String>,
        aggregates: Vec<AggregateSpec>,
        (width, offset): (i64, i64),
        random: u64,
        logs: Logs,
        time_field: &str,
    ) -> Result<Self, EngineError> {
        for format in &logs.formats {
            check_time(format, time_field)?;
        }
        if !(1..=MAX_TIME).contains(&width) {
            let message = format!("width: expected 1 to {MAX_TIME} microseconds, found {width}");
            return Err(InputError::Value(message).into());
        }
        let (widths, offset) = ([Some(width)], offset.rem_euclid(width));
        let settings = Settings::of_windows(&widths, Some(width), offset, i64::MAX)?;
        let mut engine = Self::for_logs(by, aggregates, settings, random, logs)?;
        engine.query.time_field = time_field.into();
        Ok(engine)
    }

    /// Creates an engine for events that are added in columns, or panes that are added as tables,
    /// with a clock that is moved by hand.
    pub fn for_events(
        by: Vec<String>,
        aggregates: Vec<AggregateSpec>,
        settings: Settings,
        random: u64,
    ) -> Result<Self, EngineError> {
        if settings.panes.is_none() {
            return Err(no_window());
        }
        Self::without_kinds(by, aggregates, settings, random, (Time::Log, Clock::Manual))
    }

    /// Creates an engine that takes the state of one for logs, whatever their formats are.
    pub fn for_restoring(
        by: Vec<String>,
        aggregates: Vec<AggregateSpec>,
        settings: Settings,
        random: u64,
        time: Time,
    ) -> Result<Self, EngineError> {
        Self::without_kinds(by, aggregates, settings, random, (time, clock_of(time)))
    }

    fn without_kinds(
        by: Vec<String>,
        aggregates: Vec<AggregateSpec>,
        settings: Settings,
        random: u64,
        (time, clock): (Time, Clock),
    ) -> Result<Self, EngineError> {
        let seed = Seed::new(random);
        let plan = Plan::new(aggregates, &seed)?;
        let panes = settings.panes;
        let unseen = [vec![None; by.len()], vec![None; plan.fields().len()]];
        let by = by.into_iter().map(Into::into).collect();
        let kinds = Vec::new();
        let (time_field, filter, conditions) = (TIME.into(), None, Vec::new());
        let query = Query { by, kinds, plan, time, time_field, panes, filter, conditions, seed };
        let settings = Settings { clock, sources: 0, ..settings };
        Ok(Self::new(query, settings, unseen, 0))
    }

    fn new(
        query: Query,
        settings: Settings,
        [keys, values]: [Vec<SeenKind>; 2],
        start: i64,
    ) -> Self {
        let by = query.by.iter().map(ToString::to_string);
        let names = by.chain(query.plan.specs().map(|spec| spec.name.clone()));
        let ranks = ["rank", "rank_change"].iter().filter(|_| settings.track_ranks);
        let names = names.chain(ranks.map(|&name| name.to_owned())).collect();
        let settings = Settings { plan: query.plan.clone(), ..settings };
        let (clock, since_start) = (settings.clock, settings.lengths.contains(&None));
        let (state, caches) = (State::new(settings, start), Mutex::default());
        let mut inner = Inner {
            state,
            keys: Vec::new(),
            values: Vec::new(),
            missing: Missing::default(),
            recorded: None,
        };
        inner.set_kinds(keys, values);
        Self { query, names, clock, since_start, inner: Mutex::new(inner), caches }
    }

    /// Returns the names of the columns of snapshots.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the fields that the aggregates read.
    pub fn fields(&self) -> &[String] {
        self.query.plan.fields()
    }

    /// Computes the delta of a chunk, on any thread.
    pub fn absorb(&self, chunk: Chunk<'_>, origin: &Origin) -> Result<Delta, EngineError> {
        let cache = lock(&self.caches)?.pop();
        Ok(self.query.absorb_with(cache, chunk, origin)?)
    }

    /// Drops a chunk whose sender has stopped waiting for an answer. Its lines are counted as
    /// abandoned; a malformed chunk has none. Returns their number.
    pub fn abandon(
        &self,
        chunk: Chunk<'_>,
        source: usize,
        sender: Option<&[u8]>,
        now: i64,
    ) -> Result<u64, EngineError> {
        let count = chunk.count();
        self.with(|state| state.abandon(source, sender, self.reached(now), count))?;
        Ok(count)
    }

    /// Returns the pane of the clock, if it is the one that lines have reached.
    fn reached(&self, now: i64) -> Option<i64> {
        let panes = self.query.panes.filter(|_| self.query.time == Time::Arrival);
        panes.map(|panes| panes.number(now))
    }

    /// Counts a column of lines, on any thread. Nulls are skipped.
    pub fn add_lines<P: InputArray>(
        &self,
        lines: &InputColumn<P>,
        origin: &Origin,
    ) -> Result<(), EngineError> {
        let items = lines.lines()?;
        // The headers of a log belong to all of its lines.
        let most = if origin.format.has_header() { usize::MAX } else { EVENTS_AT_ONCE };
        for items in items.chunks(most) {
            let cache = lock(&self.caches)?.pop();
            self.apply(self.query.absorb_items(cache, items, origin))?;
        }
        Ok(())
    }

    /// Adds a delta. The deltas of a source have to come in the order of its bytes.
    pub fn apply(&self, delta: Delta) -> Result<(), EngineError> {
        self.apply_heard(delta, None)
    }

    /// Adds a delta that was received after this much listening to live sources.
    pub fn apply_heard(&self, delta: Delta, listened: Option<i64>) -> Result<(), EngineError> {
        self.with(|state| state.apply_heard(&delta, listened))?;
        self.keep_cache(delta)
    }

    fn keep_cache(&self, delta: Delta) -> Result<(), EngineError> {
        let mut caches = lock(&self.caches)?;
        if caches.len() < MAX_CACHES {
            caches.push(delta.into_cache());
        }
        Ok(())
    }

    /// Adds an event for each row, and returns the rows that were late. On an error, nothing is
    /// added.
    pub fn add<P: InputArray>(
        &self,
        keys: &[InputColumn<P>],
        values: &[InputColumn<P>],
        times: &InputColumn<P>,
    ) -> Result<Vec<usize>, EngineError> {
        if let Some(condition) = self.query.plan.conditions().first() {
            let found = quoted(condition);
            let message =
                format!("values: expected no condition on lines, found {found}; add panes");
            return Err(InputError::Value(message).into());
        }
        let times = times.times()?;
        for (columns, each) in [(keys, "key"), (values, "value")] {
            if let Some(column) = columns.iter().find(|column| column.rows() != times.len()) {
                let (rows, times) = (column.rows(), times.len());
                let plural = if times == 1 { "" } else { "s" };
                let message = format!(
                    "{each}s: expected {times} {each}{plural}, one for each time, found {rows}"
                );
                return Err(InputError::Value(message).into());
            }
        }
        let seen = lock(&self.inner)?.merge_column_kinds(keys, values)?;
        self.query
            .plan
            .kinds(&kinds_of(&seen[1], Kind::Int))
            .map_err(|PlanError(what)| InputError::Type(what))?;
        let (mut start, mut late) = (0, Vec::new());
        while start < times.len() {
            let end = times.len().min(start + EVENTS_AT_ONCE);
            let delta = self.delta_of(keys, values, &times, start..end)?;
            let mut inner = lock(&self.inner)?;
            // Another thread may have added events in the meantime.
            if start == 0 {
                let [keys, values] = inner.merge_column_kinds(keys, values)?;
                inner.set_kinds(keys, values);
            }
            if let Some(open) = inner.state.late_before() {
                late.extend((start..end).filter(|&row| times[row] < open));
            }
            inner.apply(&delta);
            drop(inner);
            self.keep_cache(delta)?;
            start = end;
        }
        Ok(late)
    }

    fn delta_of<P: InputArray>(
        &self,
        keys: &[InputColumn<P>],
        values: &[InputColumn<P>],
        times: &[i64],
        rows: Range<usize>,
    ) -> Result<Delta, EngineError> {
        let Query { plan, seed, panes, .. } = &self.query;
        let panes = panes.ok_or_else(no_window)?;
        let cache = lock(&self.caches)?.pop();
        let mut events = Events::with_cache(cache, panes, plan.clone(), seed.clone());
        if let ([keys], []) = (keys, values)
            && let Some(texts) = keys.texts(rows.clone())
        {
            events.push_texts(texts.zip(times[rows].iter().copied()));
            return Ok(events.finish());
        }
        let columns: Vec<&InputColumn<P>> = keys.iter().chain(values).collect();
        for_each(&columns, rows, |row, cells| {
            let (key, values) = cells.split_at(keys.len());
            events.push(key, values, times[row]);
        });
        Ok(events.finish())
    }

    /// Calls a function with the state.
    pub fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> Result<T, EngineError> {
        Ok(run(&mut lock(&self.inner)?.state))
    }

    /// Moves the clock. If it is moved by hand, ends without a snapshot until now are skipped.
    /// After the first call of [`next_pane`](Self::next_pane), panes wait to be handed out instead.
    pub fn advance(&self, now: i64) -> Result<(), EngineError> {
        let mut inner = lock(&self.inner)?;
        inner.record(|changes| changes.advance(now));
        self.advance_to(&mut inner, now);
        Ok(())
    }

    fn advance_to(&self, inner: &mut Inner, now: i64) {
        self.skip_unanswered(inner);
        inner.state.advance(now);
    }

    /// Ends the input. If the clock is moved by hand, the last window that contains an event ends,
    /// too.
    pub fn finish(&self) -> Result<(), EngineError> {
        let mut inner = lock(&self.inner)?;
        inner.record(Changes::finish);
        self.finish_input(&mut inner);
        Ok(())
    }

    fn finish_input(&self, inner: &mut Inner) {
        self.skip_unanswered(inner);
        inner.state.finish(self.clock == Clock::Manual);
    }

    /// Skips ends without a snapshot.
    fn skip_unanswered(&self, inner: &mut Inner) {
        if self.clock == Clock::Manual && !inner.state.is_handing_out() {
            inner.state.skip();
            // Whoever replays the change skips them, too.
            let answered = inner.state.answered();
            if let Some((_, known)) = &mut inner.recorded {
                *known = answered;
            }
        }
    }

    /// Hands out the next closed pane ([`State::next_pane`]), with the aggregates of its keys, or
    /// with `partials` as a table to merge into another engine. A pane that does not fit into a
    /// table stays.
    pub fn next_pane(&self, partials: bool) -> Result<Option<ClosedPane<NamedRows>>, EngineError> {
        let mut inner = lock(&self.inner)?;
        if partials {
            let layout = self.layout(&inner);
            return Ok(inner.state.next_partials_as(|delta| layout.table(&delta))?);
        }
        let Some(pane) = inner.state.next_pane() else { return Ok(None) };
        let ClosedPane { start, end, content: rows, lines } = pane;
        let names = self.names.iter().take(rows.columns.len()).cloned().collect();
        let content = NamedRows { names, rows, metadata: Vec::new() };
        Ok(Some(ClosedPane { start, end, content, lines }))
    }

    /// Exports the contents for another engine.
    pub fn export(&self) -> Result<Vec<u8>, EngineError> {
        let (layout, delta) = self.contents()?;
        Ok(layout.encode(&delta))
    }

    /// Exports the contents as a table, with one row per key and pane.
    pub fn export_table(&self) -> Result<NamedRows, EngineError> {
        let (layout, delta) = self.contents()?;
        Ok(layout.table(&delta)?)
    }

    /// Merges an export of another engine. On an error, nothing is added.
    pub fn merge(&self, bytes: &[u8]) -> Result<(), EngineError> {
        self.import(|layout, seed| Ok(layout.decode(bytes, seed)?))
    }

    /// Merges an export table of another engine. On an error, nothing is added.
    pub fn merge_table<P: InputArray>(&self, table: &InputTable<P>) -> Result<(), EngineError> {
        self.import(|layout, seed| layout.read_table(table, seed))
    }

    /// Returns the open and closed panes as a table with a row for each key and pane, for
    /// [`add_panes`](Self::add_panes).
    pub fn pane_table(&self) -> Result<NamedRows, EngineError> {
        let (layout, delta) = self.contents()?;
        Ok(layout.pane_table(delta, &self.query.seed)?)
    }

    /// Adds a pane table and returns how many of its events were late. On an error, nothing is
    /// added.
    pub fn add_panes<P: InputArray>(&self, table: &InputTable<P>) -> Result<u64, EngineError> {
        let mut inner = lock(&self.inner)?;
        let known = *inner.state.lines();
        let fields: Vec<&str> = STANDARD_FIELDS.iter().map(|field| field.name).collect();
        let layout = self.layout(&inner);
        let read = layout.read_pane_table(table, &self.query.seed, known.fed, &fields)?;
        let Imported { delta, keys, values } = read;
        inner.set_kinds(keys, values);
        inner.apply(&delta);
        Ok(inner.state.lines().late - known.late)
    }

    fn contents(&self) -> Result<(Layout, Delta), EngineError> {
        let inner = lock(&self.inner)?;
        Ok((self.layout(&inner), inner.state.export()))
    }

    fn import(
        &self,
        read: impl FnOnce(&Layout, &Seed) -> Result<Imported, InputError>,
    ) -> Result<(), EngineError> {
        let mut inner = lock(&self.inner)?;
        let Imported { delta, keys, values } = read(&self.layout(&inner), &self.query.seed)?;
        inner.set_kinds(keys, values);
        inner.apply(&delta);
        Ok(())
    }

    fn layout(&self, inner: &Inner) -> Layout {
        let keys = self.query.by.iter().zip(&inner.keys);
        Layout {
            panes: self.query.panes,
            plan: self.query.plan.clone(),
            keys: keys.map(|(name, &kind)| TypedField { name: name.to_string(), kind }).collect(),
            values: inner.values.clone(),
            since_start: self.since_start,
        }
    }
}

impl Inner {
    /// Returns the common kinds of these columns and of the ones before.
    fn merge_column_kinds<P: InputArray>(
        &self,
        keys: &[InputColumn<P>],
        values: &[InputColumn<P>],
    ) -> Result<[Vec<SeenKind>; 2], InputError> {
        Ok([
            merge_column_kinds(&self.keys, keys, "key")?,
            merge_column_kinds(&self.values, values, "value")?,
        ])
    }

    fn set_kinds(&mut self, keys: Vec<SeenKind>, values: Vec<SeenKind>) {
        let raw = [&keys, &values]
            .map(|seen| seen.iter().map(|seen| seen.is_some_and(|(_, raw)| raw)).collect());
        self.state.set_kinds(kinds_of(&keys, Kind::Text), kinds_of(&values, Kind::Int), raw);
        if (&self.keys, &self.values) != (&keys, &values) {
            self.record(|changes| changes.kinds(&keys, &values));
        }
        (self.keys, self.values) = (keys, values);
    }
}

fn kinds_of(seen: &[SeenKind], unseen: Kind) -> Vec<Kind> {
    seen.iter().map(|seen| seen.map_or(unseen, |(kind, _)| kind)).collect()
}

/// Returns the kind of a field, which has to be the same in all formats.
fn kind_in(formats: &[Format], field: &str, what: &str) -> Result<Kind, InputError> {
    let unknown = || UnknownField { name: field.to_owned() };
    let kinds = formats.iter().map(|format| format.kind(field).ok_or_else(unknown));
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    let Some(&kind) = kinds.first() else {
        return Err(InputError::value("expected at least one format"));
    };
    if kinds.contains(&Kind::Any) {
        return Ok(Kind::Any);
    }
    if kinds.iter().any(|&other| other != kind) {
        let specs: Vec<_> = formats.iter().map(Format::spec).collect();
        return Err(InputError::Value(format!(
            "{} has different types in the formats {}; use one format for all sources, or \
             {what} another field",
            quoted(field),
            specs.join(", ")
        )));
    }
    Ok(kind)
}

/// Fails unless a field of a format is a time.
fn check_time(format: &Format, field: &str) -> Result<(), InputError> {
    match format.kind(field) {
        Some(Kind::Time) => Ok(()),
        // There every field is text, and the reader still knows the time.
        Some(Kind::Text) if field == TIME && format.is_classic() => Ok(()),
        None => Err(InputError::Value(format!("time: no field {} in this format", quoted(field)))),
        Some(kind) => Err(InputError::Value(format!(
            "time: expected a field of type time, found {}, which is {}; give it a type in the \
             format, as in {{{field}:iso}}",
            quoted(field),
            kind.name(),
        ))),
    }
}

fn clock_of(time: Time) -> Clock {
    if time == Time::Arrival { Clock::Arrival } else { Clock::Events }
}

fn no_window() -> EngineError {
    InputError::value("expected a window length").into()
}

fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>, EngineError> {
    mutex.lock().map_err(|_| EngineError::Unusable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::{Counters, Reason, Value};

    fn engine() -> Engine {
        let formats = vec![Format::new("tsv:time:epoch,key").unwrap()];
        let logs = Logs { formats, time: Time::Log, filter: None, sources: 1, start: 0 };
        let settings = Settings::of_windows(&[Some(6), Some(9), None], Some(3), 0, 0).unwrap();
        let aggregates = Plan::counting().specs().cloned().collect();
        Engine::for_logs(vec!["key".into()], aggregates, settings, 1, logs).unwrap()
    }

    #[test]
    fn chunks_are_absorbed_while_the_state_is_locked() {
        let engine = engine();
        let origin = Origin::new(0, Format::new("tsv:time:epoch,key").unwrap(), 0);
        let absorb = || engine.absorb(Chunk::Lines(b"5\ta\n6\tb\n"), &origin);
        let delta = engine.with(|_| absorb()).unwrap().unwrap();
        engine.apply(delta).unwrap();
        assert_eq!(engine.with(|state| state.lines().counted), Ok(2));
    }

    fn by_arrival() -> (Engine, Origin) {
        let format = Format::new("tsv:key,number:int").unwrap();
        let logs = Logs {
            formats: vec![format.clone()],
            time: Time::Arrival,
            filter: None,
            sources: 1,
            start: 1_000,
        };
        let settings = Settings::of_windows(&[Some(10)], Some(10), 0, 0).unwrap();
        let aggregates = Plan::counting().specs().cloned().collect();
        let engine = Engine::for_logs(vec!["key".into()], aggregates, settings, 1, logs).unwrap();
        (engine, Origin::new(0, format, 0))
    }

    fn feed(engine: &Engine, origin: &Origin, now: i64, line: &[u8]) {
        let origin = Origin { now, ..origin.clone() };
        engine.apply(engine.absorb(Chunk::Lines(line), &origin).unwrap()).unwrap();
    }

    fn by_hand(length: i64) -> Engine {
        let settings = Settings::of_windows(&[Some(length)], Some(10), 0, 0).unwrap();
        let aggregates = Plan::counting().specs().cloned().collect();
        Engine::for_events(vec!["key".into()], aggregates, settings, 1).unwrap()
    }

    /// A column of one row.
    #[derive(Debug)]
    struct One(Value<'static>);

    impl InputArray for One {
        fn rows(&self) -> usize {
            1
        }

        fn value(&self, _: usize) -> Value<'_> {
            self.0
        }

        fn texts(&self, _: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
            None::<std::iter::Empty<_>>
        }
    }

    fn add(engine: &Engine, time: i64) {
        let keys = InputColumn::new(vec![One(Value::Text(b"a"))], Some((Kind::Text, false)));
        let times = InputColumn::new(vec![One(Value::Time(time))], Some((Kind::Time, false)));
        engine.add(&[keys], &[], &times).unwrap();
    }

    /// The start, the number of rows and the lines of each pane that is handed out.
    fn taken(engine: &Engine) -> Vec<(i64, usize, Counters)> {
        let panes = std::iter::from_fn(|| engine.next_pane(false).unwrap());
        panes.map(|pane| (pane.start, pane.content.rows.len, pane.lines)).collect()
    }

    /// Two events without headers.
    const BATCH: Chunk<'_> = Chunk::Batch(b"\x04\x00\x04a\t\x00\x04b\t\x00");

    fn abandoned(engine: &Engine) -> Vec<(Option<i64>, u64, u64)> {
        let answers = std::iter::from_fn(|| engine.with(State::next_snapshot).unwrap());
        answers.map(|one| (one.end, one.lines.fed, one.lines.abandoned)).collect()
    }

    #[test]
    fn abandoned_lines_belong_to_the_pane_of_the_clock_or_of_their_source() {
        let (engine, origin) = by_arrival();
        feed(&engine, &origin, 1_005, b"a\t1\n");
        assert_eq!(engine.abandon(BATCH, 0, None, 1_015), Ok(2));
        assert_eq!(engine.abandon(Chunk::Batch(b"\x04\x00\x04a\t"), 0, None, 1_015), Ok(0));
        assert_eq!(engine.abandon(Chunk::Event(b"\x00\x04a\t"), 0, None, 1_025), Ok(1));
        for (now, expected) in [(1_010, 0), (1_020, 2), (1_030, 3)] {
            engine.advance(now).unwrap();
            assert_eq!(abandoned(&engine), [(Some(now), 1, expected)]);
        }

        let engine = self::engine();
        let format = Format::new("tsv:time:epoch,key").unwrap();
        let origin = Origin::new(0, format, 0);
        assert_eq!(engine.abandon(BATCH, 0, None, 0), Ok(2));
        feed(&engine, &origin, 0, b"0.000004\ta\n");
        assert_eq!(engine.abandon(BATCH, 0, None, 0), Ok(2));
        feed(&engine, &origin, 0, b"0.000013\ta\n");
        let ends: Vec<_> = abandoned(&engine).into_iter().step_by(3).collect();
        assert_eq!(ends, [(Some(6), 1, 4), (Some(9), 1, 4), (Some(12), 1, 4)]);
    }

    #[test]
    fn lines_outside_the_sum_are_exported() {
        let (engine, origin) = by_arrival();
        feed(&engine, &origin, 1_005, b"a\t1\n");
        engine.abandon(BATCH, 0, None, 1_015).unwrap();
        let mut delta = Delta::new(0, engine.query.plan.columns());
        delta.lines.resent = 7;
        delta.skipped.push((Some(100), delta.lines));
        engine.apply(delta).unwrap();
        for answered in [1_005, 1_015] {
            engine.advance(answered).unwrap();
            engine.with(|state| _ = state.next_snapshot()).unwrap();
            let (copy, _) = by_arrival();
            copy.merge(&engine.export().unwrap()).unwrap();
            let lines = copy.with(|state| *state.lines()).unwrap();
            assert_eq!((lines.fed, lines.counted, lines.abandoned, lines.resent), (1, 1, 2, 7));
            copy.advance(1_030).unwrap();
            let last = copy.with(State::last_snapshot).unwrap().unwrap().lines;
            assert_eq!((last.fed, last.abandoned, last.resent), (1, 2, 7));
        }
    }

    fn counted(count: u64) -> Counters {
        Counters::of_counted(count)
    }

    fn rejected() -> Counters {
        let mut lines = Counters::default();
        lines.fed = 1;
        lines.reject(Reason::NoMatch);
        lines
    }

    #[test]
    fn panes_are_handed_out_after_answered_ends() {
        let (engine, origin) = by_arrival();
        feed(&engine, &origin, 1_005, b"a\t1\n");
        engine.advance(1_010).unwrap();
        assert!(engine.with(State::next_snapshot).unwrap().is_some());
        feed(&engine, &origin, 1_015, b"a\t1\n");
        engine.advance(1_020).unwrap();
        assert_eq!(taken(&engine), [(1_010, 1, counted(1))]);
        feed(&engine, &origin, 1_035, b"junk\n");
        engine.finish().unwrap();
        assert_eq!(taken(&engine), [(1_030, 0, rejected())]);

        let engine = by_hand(10);
        add(&engine, 5);
        engine.advance(10).unwrap();
        engine.advance(20).unwrap();
        add(&engine, 25);
        engine.advance(30).unwrap();
        assert_eq!(taken(&engine), [(20, 1, counted(1))]);
        add(&engine, 1);
        engine.finish().unwrap();
        assert_eq!(taken(&engine), [(30, 0, Counters::of_late(1))]);
    }

    #[test]
    fn panes_report_the_same_lines_whenever_they_are_taken() {
        for asks in 0..8 {
            let (engine, origin) = by_arrival();
            let mut found = Vec::new();
            let mut look = |at: i32| {
                if asks & (1 << at) != 0 {
                    found.extend(taken(&engine));
                }
            };
            look(0);
            feed(&engine, &origin, 1_005, b"junk\n");
            look(1);
            feed(&engine, &origin, 1_015, b"a\t1\n");
            engine.advance(1_030).unwrap();
            look(2);
            feed(&engine, &origin, 1_035, b"junk\n");
            engine.finish().unwrap();
            found.extend(taken(&engine));
            assert_eq!(
                found,
                [(1_000, 0, rejected()), (1_010, 1, counted(1)), (1_030, 0, rejected())],
                "{asks}"
            );

            let (engine, origin) = by_arrival();
            if asks & 1 != 0 {
                assert_eq!(taken(&engine), []);
            }
            feed(&engine, &origin, 1_005, b"junk\n");
            engine.finish().unwrap();
            assert_eq!(taken(&engine), [(1_000, 0, rejected())]);
        }
    }

    #[test]
    fn lines_before_any_time_are_reported_with_the_first_pane() {
        let engine = engine();
        let format = Format::new("tsv:time:epoch,key").unwrap();
        let origin = Origin::new(0, format, 0);
        feed(&engine, &origin, 0, b"junk\n");
        assert_eq!(taken(&engine), []);
        feed(&engine, &origin, 0, b"5\ta\n");
        engine.finish().unwrap();
        let mut lines = rejected();
        lines.add(&counted(1));
        assert_eq!(taken(&engine), [(4_999_998, 1, lines)]);

        let engine = self::engine();
        feed(&engine, &origin, 0, b"junk\n");
        engine.finish().unwrap();
        assert_eq!(taken(&engine), []);
        assert_eq!(engine.with(|state| *state.lines()), Ok(rejected()));
    }

    #[test]
    fn the_last_snapshot_reports_lines_after_the_newest_event() {
        for asks in [false, true] {
            let (engine, origin) = by_arrival();
            feed(&engine, &origin, 1_005, b"a\t1\n");
            feed(&engine, &origin, 1_035, b"junk\n");
            if asks {
                assert_eq!(taken(&engine), []);
            }
            engine.finish().unwrap();
            let answers = std::iter::from_fn(|| engine.with(State::next_snapshot).unwrap());
            let fed: Vec<_> = answers.map(|answer| (answer.end, answer.lines.fed)).collect();
            assert_eq!(fed, [(Some(1_040), 2)]);
        }
    }

    #[test]
    fn panes_wait_once_one_was_requested() {
        for (length, takes) in [(10, 1), (10, 2), (60, 1), (60, 2)] {
            let engine = by_hand(length);
            for time in [1, 15, 25, 45] {
                add(&engine, time);
            }
            engine.advance(30).unwrap();
            let pane = || engine.next_pane(false).unwrap().map(|pane| pane.start);
            let mut found: Vec<_> = (0..takes).filter_map(|_| pane()).collect();
            engine.advance(60).unwrap();
            add(&engine, 75);
            engine.finish().unwrap();
            found.extend(std::iter::from_fn(pane));
            assert_eq!(found, [0, 10, 20, 40, 70], "{length} {takes}");
        }
        // No pane was requested, so unanswered ends are skipped.
        let engine = by_hand(10);
        add(&engine, 1);
        engine.advance(30).unwrap();
        engine.advance(60).unwrap();
        assert_eq!(taken(&engine), []);
    }

    #[test]
    fn a_pane_that_cannot_be_converted_stays() {
        let engine = by_hand(10);
        add(&engine, 1);
        add(&engine, 2);
        engine.advance(10).unwrap();
        let fails = |state: &mut State| state.next_partials_as(|_| Err::<(), _>("too large"));
        assert_eq!(engine.with(fails), Ok(Err("too large")));
        assert_eq!(engine.with(fails), Ok(Err("too large")));
        assert_eq!(taken(&engine), [(0, 1, counted(2))]);
        assert_eq!(engine.with(fails), Ok(Ok(None)));
    }

    #[test]
    fn after_a_panic_the_engine_is_unusable() {
        let engine = engine();
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| engine.with(|_| panic!("half way")));
            thread.join().is_err()
        });
        assert!(panicked);
        assert_eq!(engine.finish(), Err(EngineError::Unusable));
        assert_eq!(EngineError::Unusable.to_string(), "unusable: an earlier call panicked");
    }
}
