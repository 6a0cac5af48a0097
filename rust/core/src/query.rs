//! Turns chunks into deltas: finds the time, the key and the pane of each line.

use std::ops::RangeInclusive;

use crate::ground::{Kind, MAX_TIME, Panes, Reason, Value};
use crate::text::filter::{BoundFilter, Filter, Verdict};
use crate::text::flume::BatchError;
use crate::text::format::{Format, LineKind, Reader, TextAndTime};
use crate::text::lines::{Chunk, Lines as Split, MAX_LINE_BYTES};
use crate::windows::aggregate::{Event, Plan};
use crate::windows::delta::{Delta, KeyCache, LOOKUP_BATCH, PendingEvent};
use crate::windows::key_encoding;
use crate::windows::keys::Seed;

/// The time that an event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The time at which its chunk was received; windows follow the clock.
    Arrival,
    /// The time in the line, in one of its fields.
    Log,
    /// The time in the header `timestamp` of the Flume event that contains the line.
    Header,
}

/// Where a chunk comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The number of its source in the query.
    pub source: usize,
    /// The format of its lines.
    pub format: Format,
    /// The time at which it was received.
    pub now: i64,
    /// How far ahead of `now` a time can be before its line is rejected; `None` for no limit.
    pub max_ahead: Option<i64>,
    /// How far behind `now` a time can be before its line is rejected; `None` for no limit.
    pub max_behind: Option<i64>,
    /// The peer that sent it; `None` if the source is its only sender.
    pub sender: Option<Box<[u8]>>,
    /// The header of a Flume event that names its sender, if that is not the peer.
    pub sender_header: Option<Box<[u8]>>,
    /// How many events came before it in its batch that are skipped, because they were counted when
    /// they were sent before.
    pub resent: u64,
}

impl Origin {
    /// Creates the origin of chunks with times of any distance, whose source is their sender.
    pub fn new(source: usize, format: Format, now: i64) -> Self {
        let (max_ahead, max_behind, sender, sender_header) = (None, None, None, None);
        let resent = 0;
        Self { source, format, now, max_ahead, max_behind, sender, sender_header, resent }
    }

    /// Returns the oldest and the newest time that is not rejected.
    fn times(&self) -> (i64, i64) {
        let first = self.max_behind.map_or(i64::MIN, |behind| self.now.saturating_sub(behind));
        let last = self.max_ahead.map_or(i64::MAX, |ahead| self.now.saturating_add(ahead));
        (first, last)
    }
}

/// What to compute from each line. Absorbing changes nothing, so threads can share a query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The key fields; without any, all lines have the null key.
    pub by: Vec<Box<str>>,
    /// The kinds of the key fields, if formats may have them with different kinds; else empty.
    pub kinds: Vec<Kind>,
    /// The aggregates of each key.
    pub plan: Plan,
    /// The time that events have.
    pub time: Time,
    /// The field that [`Time::Log`] reads.
    pub time_field: Box<str>,
    /// The panes to assign events to; `None` for one count of everything.
    pub panes: Option<Panes>,
    /// The lines to select; `None` for all.
    pub filter: Option<Filter>,
    /// The conditions of the plan, in its order.
    pub conditions: Vec<Filter>,
    /// The seed of all hashes.
    pub seed: Seed,
}

impl Query {
    /// Computes the delta of a chunk. A field that the format does not have is null.
    ///
    /// Fails if the chunk is malformed as a whole; then none of it counts.
    pub fn absorb(&self, chunk: Chunk<'_>, origin: &Origin) -> Result<Delta, BatchError> {
        self.absorb_with(None, chunk, origin)
    }

    /// Like [`absorb`](Self::absorb), but faster, by reusing the key lookups of an earlier delta of
    /// this query.
    pub(crate) fn absorb_with(
        &self,
        cache: Option<KeyCache>,
        chunk: Chunk<'_>,
        origin: &Origin,
    ) -> Result<Delta, BatchError> {
        let delta = Delta::with_cache(cache, origin.source, self.plan.columns());
        self.absorb_lines(delta, chunk, origin, self.lines_of(&origin.format))
    }

    fn absorb_lines(
        &self,
        delta: Delta,
        chunk: Chunk<'_>,
        origin: &Origin,
        lines: Lines,
    ) -> Result<Delta, BatchError> {
        let mut absorbing = self.absorber(delta, origin, lines);
        match (chunk, &origin.sender_header) {
            (Chunk::Lines(text), _) => {
                for line in Split::new(text) {
                    absorbing.line(line, None);
                }
            }
            // Senders move the watermark, which windows by arrival and one count of everything lack.
            (_, Some(header)) if self.time != Time::Arrival && self.panes.is_some() => {
                absorbing.delta.split_by_sender();
                if origin.resent > 0 {
                    absorbing.delta.turn_to(None);
                    absorbing.skip_resent();
                }
                chunk.for_each_sent(header, |line, stamp, sender| {
                    absorbing.sent_line(line, stamp, sender);
                })?;
            }
            _ => {
                absorbing.skip_resent();
                chunk.for_each_stamped(|line, stamp| absorbing.line(line, stamp))?;
            }
        }
        Ok(absorbing.finish())
    }

    /// Like [`absorb_with`](Self::absorb_with), for lines that are separate already.
    pub(crate) fn absorb_items(
        &self,
        cache: Option<KeyCache>,
        items: &[&[u8]],
        origin: &Origin,
    ) -> Delta {
        let delta = Delta::with_cache(cache, origin.source, self.plan.columns());
        let mut absorbing = self.absorber(delta, origin, self.lines_of(&origin.format));
        for line in items {
            absorbing.line(line, None);
        }
        absorbing.finish()
    }

    fn absorber<'a>(
        &'a self,
        mut delta: Delta,
        origin: &'a Origin,
        mut lines: Lines,
    ) -> Absorber<'a> {
        delta.received_from(origin.sender.as_deref(), origin.now);
        lines.times = origin.times();
        let pair = lines.pair.take().map(|pair| (pair, lines.times.0..=lines.times.1));
        let waiting = PendingEvents::default();
        Absorber { query: self, origin, lines, pair, waiting, delta }
    }

    /// Prepares to read the key, the values, the time if it comes from the line, and the fields of
    /// the filter.
    fn lines_of(&self, format: &Format) -> Lines {
        let mut names: Vec<&str> = self.by.iter().map(|name| &**name).collect();
        names.extend(self.plan.fields().iter().map(String::as_str));
        let time = names.len();
        if self.time == Time::Log {
            names.push(&self.time_field);
        }
        for condition in &self.conditions {
            names = condition.required_fields(&names);
        }
        let (reader, filter) = match &self.filter {
            None => (Reader::lenient(format, &names), None),
            Some(filter) => {
                let (reader, bound) = filter.lenient_reader(format, &names);
                (reader, Some(bound))
            }
        };
        let conditions = self.conditions.iter().map(|one| one.lenient_bind(&reader)).collect();
        // A key of any kind in another format is stored the same way here.
        let is_any = |field: usize| self.kinds.get(field) == Some(&Kind::Any);
        let kind = |field| if is_any(field) { Kind::Any } else { reader.kind(field) };
        let kinds: Vec<_> = (0..self.by.len()).map(kind).collect();
        let kinds = kinds.contains(&Kind::Any).then_some(kinds);
        let is_plain = filter.is_none() && kinds.is_none();
        let is_count = self.by.len() == 1 && is_plain && self.plan.is_count();
        let pair =
            if is_count && self.time == Time::Log { reader.text_and_time(0, time) } else { None };
        let times = (i64::MIN, i64::MAX);
        Lines { reader, filter, conditions, time, times, key: Vec::new(), kinds, pair }
    }

    #[inline]
    fn event(
        &self,
        line: &[u8],
        stamp: Option<&[u8]>,
        origin: &Origin,
        lines: &mut Lines,
    ) -> Result<Option<i64>, Skip> {
        if line.len() > MAX_LINE_BYTES {
            return Err(Skip::Rejected(Reason::TooLong));
        }
        let Lines { reader, filter, time: time_field, times, .. } = lines;
        match reader.read(line) {
            Ok(LineKind::Fields) => {}
            Ok(LineKind::Header) => return Err(Skip::Header),
            Err(_) => return Err(Skip::Rejected(Reason::NoMatch)),
        }
        let time = match self.time {
            Time::Arrival => Some(origin.now),
            Time::Log => reader.time(line, *time_field),
            Time::Header => stamp.and_then(millis),
        };
        // Without a window the time has no effect, so a line can lack it.
        if time.is_none() && self.panes.is_some() {
            return Err(Skip::Rejected(Reason::NoTime));
        }
        if let Some(time) = time {
            if time > times.1 {
                return Err(Skip::Rejected(Reason::Future));
            }
            if time < times.0 {
                return Err(Skip::Rejected(Reason::Past));
            }
        }
        // Before the lateness check, which only concerns selected lines. The time of a filtered
        // line still counts: it shows how far the log has advanced, so that snapshots of rare
        // events need not wait for the next one.
        match filter.as_ref().map_or(Verdict::Keep, |filter| filter.verdict(reader, line)) {
            Verdict::Keep => Ok(time),
            Verdict::Skip => Err(Skip::Filtered(time)),
            Verdict::NoTime => Err(Skip::Rejected(Reason::NoTime)),
        }
    }

    /// Returns the pane that the source has reached, as far as the chunk shows.
    fn reached(&self, origin: &Origin, delta: &Delta) -> Option<i64> {
        let time = match self.time {
            Time::Arrival => Some(origin.now),
            Time::Log | Time::Header => delta.time_bounds.newest(),
        };
        Some(self.panes?.number(time?))
    }

    #[inline]
    fn count(
        &self,
        origin: &Origin,
        line: &[u8],
        lines: &mut Lines,
        time: Option<i64>,
        delta: &mut Delta,
    ) {
        let mut pane = 0;
        if let Some(time) = time {
            // Compared with the chunk so far. `apply` compares whole panes with earlier chunks, so
            // chunk boundaries have no effect.
            let Some(open) = delta.pane_of(self.panes, time) else {
                let reached = self.reached(origin, delta);
                delta.skip_line(reached, |lines| lines.late += 1);
                return;
            };
            pane = open;
            delta.note_time(time);
        }
        let Lines { reader, conditions, key, kinds, .. } = lines;
        let mut fields = Fields { reader, conditions, line, first: 0 };
        let key = match kinds {
            None => key_encoding::encode(&mut fields, self.by.len(), key),
            Some(kinds) => key_encoding::encode_of_kinds(&mut fields, kinds, key),
        };
        let entry = delta.count(pane, key, &self.seed);
        fields.first = self.by.len();
        self.plan.add(&mut delta.columns, entry, time, &mut fields);
    }
}

/// A chunk that is being absorbed.
struct Absorber<'a> {
    query: &'a Query,
    origin: &'a Origin,
    lines: Lines,
    /// Reads key and time together, and the times that are not rejected.
    pair: Option<(TextAndTime, RangeInclusive<i64>)>,
    waiting: PendingEvents<'a>,
    delta: Delta,
}

impl<'a> Absorber<'a> {
    /// Counts the events that were skipped, at the pane that their sender has reached.
    fn skip_resent(&mut self) {
        let reached = self.query.reached(self.origin, &self.delta);
        self.delta.skip_resent(reached, self.origin.resent);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call per line costs a tenth of a short line")]
    fn line(&mut self, line: &'a [u8], stamp: Option<&'a [u8]>) {
        match self.pair_of(line) {
            Some((pane, key)) => self.waiting.push(pane, key, &mut self.delta, &self.query.seed),
            None => self.any_line(line, stamp),
        }
    }

    /// Counts a line whose event names its sender.
    fn sent_line(&mut self, line: &'a [u8], stamp: Option<&'a [u8]>, sender: Option<&'a [u8]>) {
        // An empty name is none.
        let sender = sender.filter(|sender| !sender.is_empty());
        if self.delta.has_turned(sender) {
            self.waiting.count(&mut self.delta, &self.query.seed);
            self.delta.turn_to(sender);
        }
        self.line(line, stamp);
        self.delta.note_event();
    }

    /// Returns the pane and the key of a line, if both can be read directly, the query needs
    /// nothing else, and the line is not late. All other lines are left to `any_line`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call per line costs a tenth of a short line")]
    fn pair_of(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (pair, times) = self.pair.as_ref()?;
        let (key, time) = pair.read(line)?;
        if line.len() > MAX_LINE_BYTES || !times.contains(&time) {
            return None;
        }
        let pane = self.delta.pane_of(self.query.panes, time)?;
        self.delta.note_time(time);
        Some((pane, key))
    }

    #[inline(never)]
    fn any_line(&mut self, line: &[u8], stamp: Option<&[u8]>) {
        let Self { query, origin, lines, waiting, delta, .. } = self;
        // Keep the order of the lines: which key came first can matter.
        waiting.count(delta, &query.seed);
        match query.event(line, stamp, origin, lines) {
            Ok(time) => query.count(origin, line, lines, time, delta),
            Err(Skip::Header) => delta.lines.headers += 1,
            Err(skipped) => {
                if let (Skip::Filtered(Some(time)), Some(_)) = (skipped, query.panes) {
                    delta.pass_time(time);
                }
                let reached = query.reached(origin, delta);
                delta.skip_line(reached, |lines| match skipped {
                    Skip::Rejected(reason) => lines.reject(reason),
                    Skip::Filtered(_) => lines.filtered += 1,
                    Skip::Header => {}
                });
            }
        }
    }

    fn finish(mut self) -> Delta {
        self.waiting.count(&mut self.delta, &self.query.seed);
        self.delta.write_counts();
        self.delta
    }
}

/// Events that are counted together, each with its pane and key.
struct PendingEvents<'a> {
    events: [PendingEvent<'a>; LOOKUP_BATCH],
    len: usize,
}

impl Default for PendingEvents<'_> {
    fn default() -> Self {
        Self { events: [PendingEvent::default(); LOOKUP_BATCH], len: 0 }
    }
}

impl<'a> PendingEvents<'a> {
    #[inline]
    fn push(&mut self, pane: i64, key: &'a [u8], delta: &mut Delta, seed: &Seed) {
        self.events[self.len] = PendingEvent { pane, key, hash: seed.short_hash(Some(key)) };
        self.len += 1;
        if self.len == LOOKUP_BATCH {
            self.count(delta, seed);
        }
    }

    /// Counts the pending events.
    fn count(&mut self, delta: &mut Delta, seed: &Seed) {
        delta.count_all(&self.events[..self.len], seed);
        self.len = 0;
    }
}

/// The values of a line, starting at the field `first`.
struct Fields<'a> {
    reader: &'a mut Reader,
    conditions: &'a [BoundFilter],
    line: &'a [u8],
    first: usize,
}

impl Event for Fields<'_> {
    fn value(&mut self, place: usize) -> Value<'_> {
        self.reader.value(self.line, self.first + place)
    }

    fn holds(&mut self, place: usize) -> bool {
        self.conditions.get(place).is_some_and(|one| one.holds(self.reader, self.line))
    }
}

/// How to read lines, and which of them to select.
struct Lines {
    reader: Reader,
    filter: Option<BoundFilter>,
    /// The conditions of the plan.
    conditions: Vec<BoundFilter>,
    /// The index of the time in the reader's fields.
    time: usize,
    /// The oldest and the newest time that is not rejected.
    times: (i64, i64),
    /// Buffer for keys of several fields.
    key: Vec<u8>,
    /// The kinds of the key fields, if some of them are of any kind.
    kinds: Option<Vec<Kind>>,
    /// Reads key and time together, if the query needs nothing else.
    pair: Option<TextAndTime>,
}

/// Why a line is in no pane.
#[derive(Clone, Copy)]
enum Skip {
    Rejected(Reason),
    /// With its time, if that is the time of an event.
    Filtered(Option<i64>),
    /// It is no line of the log.
    Header,
}

/// Parses milliseconds in decimal, as Java writes them, and returns microseconds.
fn millis(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    // A longer number is out of range.
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i64, |sum, &digit| sum * 10 + i64::from(digit - b'0'));
    let micros = value * 1_000;
    let micros = if digits.len() < text.len() { -micros } else { micros };
    (micros.abs() <= MAX_TIME).then_some(micros)
}

/// Builds a delta from events that are not lines: each has a key, a time and values.
#[derive(Debug)]
pub struct Events {
    delta: Delta,
    panes: Panes,
    plan: Plan,
    seed: Seed,
    key: Vec<u8>,
}

impl Events {
    /// Creates an empty builder.
    pub fn new(panes: Panes, plan: Plan, seed: Seed) -> Self {
        Self::with_cache(None, panes, plan, seed)
    }

    /// Like [`new`](Self::new), but faster, by reusing the key lookups of an earlier delta with
    /// this seed.
    pub(crate) fn with_cache(
        cache: Option<KeyCache>,
        panes: Panes,
        plan: Plan,
        seed: Seed,
    ) -> Self {
        let delta = Delta::with_cache(cache, 0, plan.columns());
        Self { delta, panes, plan, seed, key: Vec::new() }
    }

    /// Counts an event, with one value for each field of the plan.
    #[inline]
    pub fn push(&mut self, key: &[Value<'_>], values: &[Value<'_>], time: i64) {
        let pane = self.pane_of(time);
        let Self { delta, plan, seed, key: room, .. } = self;
        let entry = delta.count(pane, key_encoding::encode(&mut &*key, key.len(), room), seed);
        plan.add(&mut delta.columns, entry, Some(time), &mut &*values);
    }

    /// Counts an event without values for each text key and its time.
    #[inline]
    pub fn push_texts<'a>(&mut self, events: impl Iterator<Item = (&'a [u8], i64)>) {
        let mut waiting = PendingEvents::default();
        for (key, time) in events {
            let pane = self.pane_of(time);
            waiting.push(pane, key, &mut self.delta, &self.seed);
        }
        waiting.count(&mut self.delta, &self.seed);
    }

    #[inline]
    fn pane_of(&mut self, time: i64) -> i64 {
        self.delta.note_time(time);
        // Events that are added together cannot make each other late.
        let panes = Panes { lateness: i64::MAX, ..self.panes };
        self.delta.pane_of(Some(panes), time).unwrap_or_else(|| panes.number(time))
    }

    /// Returns the delta of all events.
    pub fn finish(mut self) -> Delta {
        self.delta.write_counts();
        self.delta
    }
}

#[cfg(test)]
#[expect(clippy::literal_string_with_formatting_args, reason = "templates have braces")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Short lines, most of which have columns.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let time = prop_oneof![
            8 => (1_700_000_000_000..1_700_000_009_000_u64).prop_map(|time| time.to_string()),
            1 => "[0-9]{0,20}[.e-]?[0-9]{0,2}",
        ];
        let delimiter = prop::sample::select(vec!["\t", "\t", "\t", ",", " ", "", "\t\t"]);
        let key = prop_oneof![
            4 => "[a-c]{1,2}",
            1 => "/[a-z/]{0,60}",
            1 => "[-\"<>, a-c\u{e9}\u{feff}\t\r\u{0}-]{0,3}",
        ];
        let odd = prop::sample::select(vec!["", "", "", "", "<", "\u{feff}", " ", "h a: "]);
        let line = (odd, time, delimiter, key).prop_map(|(odd, time, delimiter, key)| {
            format!("{odd}{time}{delimiter}{key}").into_bytes()
        });
        prop::collection::vec(line, 0..30).prop_map(|lines| lines.join(&b'\n'))
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn key_and_time_read_together_match_the_reader(
            text in lines(),
            max_ahead in prop::option::of(0..9_000_000_i64),
            windowed in any::<bool>(),
        ) {
            let panes = Panes { width: 1_000_000, offset: 0, lateness: 500_000 };
            let query = Query {
                by: vec!["key".into()],
                kinds: Vec::new(),
                plan: Plan::counting(),
                time: Time::Log,
                time_field: "time".into(),
                panes: windowed.then_some(panes),
                filter: None,
                conditions: Vec::new(),
                seed: Seed::new(1),
            };
            for (spec, is_short) in [
                ("{time:epoch_ms}\t{key}", true),
                ("{time:epoch_ms} {key}", true),
                ("{time:epoch_ms},{key:text}", true),
                ("{time:epoch},{key}", true),
                ("{time:epoch_ms}\t{}\t{key}", true),
                ("csv:time:epoch_ms,key:text", true),
                ("tsv:time:epoch_ms,key:text", true),
                ("csv:time:epoch_ms,key", false),
                ("csv:time:epoch_ms,key:int", false),
                ("{key}\t{time:iso}", false),
            ] {
                let format = Format::new(spec).unwrap();
                let now = 1_700_000_000_000_000;
                let origin = Origin { max_ahead, ..Origin::new(0, format, now) };
                let short = query.lines_of(&origin.format);
                prop_assert_eq!(short.pair.is_some(), is_short, "{}", spec);
                let long = Lines { pair: None, ..query.lines_of(&origin.format) };
                let [short, long] = [short, long].map(|lines| {
                    let delta = Delta::with_cache(None, 0, query.plan.columns());
                    format!("{:?}", query.absorb_lines(delta, Chunk::Lines(&text), &origin, lines))
                });
                prop_assert_eq!(short, long, "{}", spec);
            }
        }

        #[test]
        fn the_times_of_a_pane_fall_into_it(
            width in prop_oneof![1..1_000_i64, 1..i64::MAX],
            offset in prop_oneof![-1_000..1_000_i64, any::<i64>()],
            times in prop::collection::vec(prop_oneof![-3_000..3_000_i64, any::<i64>()], 1..8),
            (lateness, notes_late) in (prop_oneof![0..2_000_i64, 0..i64::MAX], any::<bool>()),
        ) {
            let panes = Panes { width, offset, lateness };
            let mut delta = Delta::new(0, Vec::new());
            for time in times {
                let number = panes.number(time);
                let is_late = panes.is_late(number, delta.time_bounds.newest());
                let expected = (!is_late).then_some(number);
                prop_assert_eq!(delta.pane_of(Some(panes), time), expected);
                if let Some(times) = panes.times(number) {
                    for time in [times.start, times.end - 1] {
                        prop_assert_eq!(delta.pane_of(Some(panes), time), expected, "{:?}", times);
                    }
                }
                if !is_late || notes_late {
                    delta.note_time(time);
                    let is_late = panes.is_late(number, delta.time_bounds.newest());
                    let expected = (!is_late).then_some(number);
                    prop_assert_eq!(delta.pane_of(Some(panes), time), expected);
                }
            }
        }
    }

    #[test]
    fn a_header_is_parsed_only_as_java_writes_a_long() {
        assert_eq!(millis(b"1500000000123"), Some(1_500_000_000_123_000));
        assert_eq!(millis(b"-1"), Some(-1_000));
        assert_eq!(millis(b"9000000000000"), Some(MAX_TIME));
        for text in
            [&b""[..], b"-", b"1.5", b" 1", b"+1", b"9000000000001", b"99999999999999999999"]
        {
            assert_eq!(millis(text), None, "{text:?}");
        }
    }
}
