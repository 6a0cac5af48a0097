//! Deltas as bytes, for other processes and for later.
//!
//! What a chunk adds, or all that a state holds ([`State::export`](crate::State::export)), is
//! written so that whoever reads it can add it: counts and the parts of aggregates by pane and key,
//! and where lines went that are in no pane. It says of itself which panes, keys and aggregates it
//! is of, and what does not fit is one error that says what differs. Deltas that hold the same give
//! the same bytes, as far as the parts of their aggregates do.
//!
//! # The format, version 1
//!
//! A *number* is LEB128: seven bits a byte, lowest first, the highest bit set but in the last. A
//! *signed* one is the number 2n where n is not negative, else -2n - 1. A *text* is the number of
//! its bytes, then these. A *list* is the number of its items, then these.
//!
//! The head:
//!
//! | what | how |
//! |---|---|
//! | `tlrc` | 4 bytes |
//! | version | 1 byte |
//! | whether there are panes | 1 byte, 0 or 1; with them the width as a number and the offset as a signed one, both in microseconds |
//! | fields of keys | list of: name as text, kind as 1 byte |
//! | fields of values | the same |
//! | columns of aggregates | list of texts, such as `sum(size)` |
//! | source | number |
//! | what follows | 1 byte: 1 oldest time, 2 newest time, 4 past, 8 first pane, 16 since the start |
//! | oldest time, newest time | signed, microseconds since the epoch, each where it is there |
//! | past: from which pane on nothing is missing | signed |
//! | first pane that there ever was | signed |
//! | lines in no pane | list of: 0, or 1 and the pane that was reached as signed; list of: 1 byte for what became of them, how many as a number |
//!
//! Kinds are 0 none seen, 1 text, 2 bytes, 3 whole numbers, 4 floats, 5 times. Lines are 0 counted,
//! in panes that have left since; 1 late; 2 filtered; rejected as 16 no-match, 17 too-long, 18
//! no-time, 19 future. "Since the start" says that the panes before that from which on nothing is
//! missing are there too, as one.
//!
//! The body:
//!
//! | what | how |
//! |---|---|
//! | other keys | 1 byte: 1 the null key, 2 those that there was no room for |
//! | keys | list of texts in their stored form, ascending; the null key and the others come after them |
//! | panes | list of: number, the first signed, then by how much it is higher than the last; list of entries; for each column the parts of these entries |
//! | an entry | by how much the place of its key is higher than the last, the first than 0; its count, both numbers |
//!
//! The stored form of a key of one field is the text, or for numbers 8 bytes, highest first, that
//! sort as they do (`keys.rs`); of several fields, what `composite.rs` says. A key stands in a pane
//! once, and once more where its count is beyond 32 bits. How a part is written is told where its
//! aggregate is.

use std::fmt;

use super::aggregate::{Column, Plan, PlanError};
use super::answer::Builder;
use super::composite;
use super::delta::{Delta, Entry, Past, Reach};
use super::keys::{KeyBytes, Seed, float, id_of, number};
use super::rank::by_key;
use crate::ground::{
    Bits, Column as TableColumn, Counters, Kind, MAX_TIME, Panes, Reason, Rows, Value, Values,
};

const MAGIC: [u8; 4] = *b"tlrc";

/// Of the format. It changes whenever bytes would mean something else, here or in a part.
pub(crate) const VERSION: u8 = 1;

/// More lines than this no log has; their sum fits.
const MOST_LINES: u64 = 1 << 53;

const OLDEST: u8 = 1;
const NEWEST: u8 = 2;
const PAST: u8 = 4;
const FIRST: u8 = 8;
const SINCE_START: u8 = 16;

const NULL_KEY: u8 = 1;
const OTHER_KEYS: u8 = 2;

const COUNTED: u8 = 0;
const LATE: u8 = 1;
const FILTERED: u8 = 2;
/// Plus the place of the reason.
const REJECTED: u8 = 16;

/// What values are, and whether text is given as it stands; nothing as long as there was none.
pub type Seen = Option<(Kind, bool)>;

/// A field and what its values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Seen,
}

/// What deltas have in common that can be added to one state.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The panes, or nothing for one count of everything.
    pub panes: Option<Panes>,
    /// What is asked of each key.
    pub plan: Plan,
    /// The fields of keys.
    pub keys: Vec<Typed>,
    /// What the values of the plan's fields are.
    pub values: Vec<Seen>,
    /// Whether answers are wanted about everything since the start.
    pub since_start: bool,
}

/// A delta that was read, and what its keys and values are together with those that were known.
#[derive(Debug)]
pub struct Imported {
    /// The delta.
    pub delta: Delta,
    /// What the fields of keys are.
    pub keys: Vec<Seen>,
    /// What the values of the plan's fields are.
    pub values: Vec<Seen>,
}

/// Why something cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It is no export.
    Foreign,
    /// It is of a version of the format that is not known here.
    Version(u8),
    /// It ends too early or means nothing from this byte on.
    Broken(usize),
    /// It is a table in which this row means nothing.
    Row(usize),
    /// It is of a window of another shape: what differs, and what to do.
    Differs(String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("no export of a window"),
            Self::Version(version) => write!(
                f,
                "the export is of version {version} of the format, and version {VERSION} is read \
                 here; use the same version of tailrace for both"
            ),
            Self::Broken(byte) => {
                write!(f, "the export is damaged at byte {byte}; export the window again")
            }
            Self::Row(row) => write!(f, "the export is damaged in row {row}; export it again"),
            Self::Differs(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ImportError {}

impl Layout {
    /// Writes a delta, which is of this layout.
    pub fn encode(&self, delta: &Delta) -> Vec<u8> {
        let mut out = self.head(delta);
        let keys = Ranked::new(delta);
        keys.write(delta, &mut out);
        let sorted = Sorted::new(delta, &keys);
        put(&mut out, len(sorted.runs().count()));
        let mut before = None;
        let mut start = 0;
        for run in sorted.runs() {
            let pane = run.first().map_or(0, |entry| sorted.panes[entry.pane as usize]);
            match before {
                None => put_signed(&mut out, pane),
                Some(before) => put(&mut out, pane.abs_diff(before)),
            }
            before = Some(pane);
            put(&mut out, len(run.len()));
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

    /// Reads what was written and adds up: a delta for a state of this layout.
    pub fn decode(&self, bytes: &[u8], seed: &Seed) -> Result<Imported, ImportError> {
        let mut read = Read { bytes };
        let mut importer = self.importer_of(&mut read, bytes.len(), seed)?;
        let broken = |read: &Read<'_>| ImportError::Broken(bytes.len() - read.bytes.len());
        importer.body(&mut read).ok_or_else(|| broken(&read))?;
        if !read.bytes.is_empty() {
            return Err(broken(&read));
        }
        importer.finish().ok_or_else(|| broken(&read))
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
        put(&mut out, len(self.keys.len()));
        for Typed { name, kind } in &self.keys {
            put_text(&mut out, name.as_bytes());
            out.push(code_of(*kind));
        }
        put(&mut out, len(self.values.len()));
        for (name, kind) in self.plan.fields().iter().zip(&self.values) {
            put_text(&mut out, name.as_bytes());
            out.push(code_of(*kind));
        }
        put(&mut out, len(self.plan.column_names().len()));
        for name in self.plan.column_names() {
            put_text(&mut out, name.as_bytes());
        }
        put(&mut out, len(delta.source));
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

    /// A delta as a table: where each pane begins, the fields of the key, the count, and for each
    /// column of the plan a part; last, where there are such rows, whether they are of the keys
    /// that there was no room for. Nothing where the parts of a column are longer than 31 bits tell.
    pub(crate) fn rows(&self, delta: &Delta) -> Option<Rows> {
        let keys = Ranked::new(delta);
        let sorted = Sorted::new(delta, &keys);
        let kinds: Vec<Kind> = self.keys.iter().map(|key| kind_of(key.kind).0).collect();
        let builder = |key: &Typed| {
            let (kind, raw) = kind_of(key.kind);
            Builder::new(kind, false, raw)
        };
        let mut cells: Vec<Builder> = self.keys.iter().map(builder).collect();
        for entry in &sorted.entries {
            let key = delta.keys.key(keys.ids[entry.key as usize]);
            composite::cells(key, &kinds, |place, cell| cells[place].push(cell));
        }
        let start = |entry: &Ranks| {
            let pane = sorted.panes[entry.pane as usize];
            self.panes.map_or(0, |panes| panes.end(pane.saturating_sub(1)))
        };
        let times = sorted.entries.iter().map(start).collect();
        let counts = sorted.entries.iter().map(|entry| entry.count.into()).collect();
        let is_other = |entry: &Ranks| i64::from(delta.other == Some(keys.ids[entry.key as usize]));
        let rows = sorted.entries.len();
        let full = |values| TableColumn { valid: Bits { len: rows, ..Bits::default() }, values };
        let mut columns = vec![full(Values::Time(times))];
        columns.extend(cells.into_iter().map(Builder::finish));
        columns.push(full(Values::Int(counts)));
        for column in sorted.columns(delta) {
            let (mut offsets, mut data) = (vec![0], Vec::new());
            for place in 0..rows {
                column.encode(sorted.part(place), &mut data);
                offsets.push(i32::try_from(data.len()).ok()?);
            }
            columns.push(full(Values::Bytes { offsets, data }));
        }
        if delta.other.is_some() {
            columns.push(full(Values::Int(sorted.entries.iter().map(is_other).collect())));
        }
        Some(Rows { columns, len: rows })
    }

    /// Reads a head; what is in the panes comes entry by entry.
    pub(crate) fn importer(&self, head: &[u8], seed: &Seed) -> Result<Importer, ImportError> {
        let mut read = Read { bytes: head };
        let importer = self.importer_of(&mut read, head.len(), seed)?;
        if read.bytes.is_empty() {
            Ok(importer)
        } else {
            Err(ImportError::Broken(head.len() - read.bytes.len()))
        }
    }

    fn importer_of(
        &self,
        read: &mut Read<'_>,
        len: usize,
        seed: &Seed,
    ) -> Result<Importer, ImportError> {
        if read.exact::<4>() != Some(MAGIC) {
            return Err(ImportError::Foreign);
        }
        match read.byte() {
            Some(VERSION) => {}
            Some(version) => return Err(ImportError::Version(version)),
            None => return Err(ImportError::Foreign),
        }
        let shape = Shape::read(read).ok_or(ImportError::Broken(len - read.bytes.len()))?;
        let (keys, values) = self.agree(&shape)?;
        let mut importer = Importer {
            delta: Delta::new(0, self.plan.columns()),
            panes: self.panes,
            places: self.places(&shape.columns)?,
            keys,
            values,
            seed: seed.clone(),
            room: Vec::new(),
        };
        importer.head(read).ok_or(ImportError::Broken(len - read.bytes.len()))?;
        if self.since_start && importer.delta.past.is_some_and(|past| !past.since_start) {
            return Err(ImportError::Differs(
                "the export holds what its window held and this window is about everything since \
                 the start; let that window have a length since the start too"
                    .to_owned(),
            ));
        }
        Ok(importer)
    }

    /// Where each column of an export is in this plan.
    fn places(&self, columns: &[String]) -> Result<Vec<usize>, ImportError> {
        let own: Vec<&str> = self.plan.column_names().collect();
        let place = |name: &String| own.iter().position(|known| known == name);
        let places: Option<Vec<usize>> = columns.iter().map(place).collect();
        let is_once = |places: &Vec<usize>| (0..own.len()).all(|place| places.contains(&place));
        places.filter(|places| places.len() == own.len() && is_once(places)).ok_or_else(|| {
            let what = "give both windows the same aggregates, each with the same error";
            differs("aggregates of", &words(columns), &words(&own), what)
        })
    }

    /// What keys and values are, here and there.
    fn agree(&self, shape: &Shape) -> Result<(Vec<Seen>, Vec<Seen>), ImportError> {
        let own = self.panes.map(|panes| (panes.width, panes.offset));
        if shape.panes != own {
            let what = "give both windows lengths, slides and offsets with the same panes";
            return Err(differs(
                "panes of",
                &panes_in_words(shape.panes),
                &panes_in_words(own),
                what,
            ));
        }
        let names =
            |fields: &[Typed]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        let (there, here) = (names(&shape.keys), names(&self.keys));
        if there != here {
            let what = "give both windows the same fields in the same order";
            return Err(differs("keys of", &words(&there), &words(&here), what));
        }
        let both = |name: &str, there: Seen, here: Seen, key| {
            agreed(there, here, key).ok_or_else(|| {
                let what = if key { "key" } else { "value" };
                let (there, here) = (kind_in_words(there), kind_in_words(here));
                ImportError::Differs(format!(
                    "the {what} {name:?} is {there} in the export and {here} in this window; \
                     convert one of them before it is added"
                ))
            })
        };
        let keys = shape.keys.iter().zip(&self.keys);
        let keys = keys.map(|(there, here)| both(&here.name, there.kind, here.kind, true));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let values = self.plan.fields().iter().zip(&self.values).map(|(name, &here)| {
            // Of other aggregates it may have other fields, and then that is what differs.
            let there = shape.values.iter().find(|field| field.name == *name);
            both(name, there.and_then(|field| field.kind), here, false)
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        // The aggregates do not take everything.
        let kinds: Vec<Kind> =
            values.iter().map(|kind| kind.map_or(Kind::Int, |kind| kind.0)).collect();
        self.plan.kinds(&kinds).map_err(|PlanError(what)| ImportError::Differs(what))?;
        Ok((keys, values))
    }
}

/// Makes a delta of entries that were written.
#[derive(Debug)]
pub(crate) struct Importer {
    delta: Delta,
    panes: Option<Panes>,
    /// Where the columns of the export are in the plan.
    places: Vec<usize>,
    keys: Vec<Seen>,
    values: Vec<Seen>,
    seed: Seed,
    /// Room for keys of several fields.
    room: Vec<u8>,
}

impl Importer {
    /// Adds a row of a table; `key` is nothing for the keys that there was no room for. Parts are
    /// in the order of the export's columns. What is out of place is nothing.
    pub(crate) fn push(
        &mut self,
        start: i64,
        key: Option<&[Value<'_>]>,
        count: i64,
        parts: &[&[u8]],
    ) -> Option<()> {
        let pane = match self.panes {
            None => 0,
            Some(panes) => Some(panes.number(start))
                .filter(|&pane| panes.end(pane.saturating_sub(1)) == start)?,
        };
        let count = u32::try_from(count).ok().filter(|&count| count > 0)?;
        if parts.len() != self.places.len() {
            return None;
        }
        let key = match key {
            Some(key) => self.key(key)?,
            None => self.other(),
        };
        let place = self.delta.panes.last().filter(|&&last| last == pane);
        let place = if place.is_some() { self.delta.panes.len() - 1 } else { self.pane(pane)? };
        let entry = self.delta.entries.len();
        self.delta.entries.push(Entry { pane: place, key, count });
        for (&column, &part) in self.places.iter().zip(parts) {
            let mut bytes = part;
            self.delta.columns.get_mut(column)?.decode(entry, &mut bytes)?;
            if !bytes.is_empty() {
                return None;
            }
        }
        Some(())
    }

    /// Which parts a row has: as many as the export has columns of aggregates.
    pub(crate) fn parts(&self) -> usize {
        self.places.len()
    }

    /// The delta of all of them; nothing where there are more lines than there can be.
    pub(crate) fn finish(self) -> Option<Imported> {
        let Self { mut delta, keys, values, .. } = self;
        let counted = delta.entries.iter().map(|entry| u64::from(entry.count)).sum();
        let mut lines = Counters::of_counted(counted);
        for (_, lost) in &delta.lost {
            lines.add(lost);
        }
        delta.lines = lines;
        (lines.fed <= MOST_LINES).then_some(Imported { delta, keys, values })
    }

    /// Which key values are; these have to be of the kinds that were told.
    fn key(&mut self, values: &[Value<'_>]) -> Option<u32> {
        let fits = |value: &Value<'_>, kind: &Seen| match value {
            Value::Null => true,
            Value::Text(_) => kind_of(*kind).0 == Kind::Text,
            Value::Int(_) => kind_of(*kind).0 == Kind::Int,
            Value::Float(_) => kind_of(*kind).0 == Kind::Float,
            Value::Time(_) => kind_of(*kind).0 == Kind::Time,
        };
        if values.len() != self.keys.len()
            || !values.iter().zip(&self.keys).all(|(value, kind)| fits(value, kind))
        {
            return None;
        }
        let Self { delta, seed, room, .. } = self;
        Some(match values {
            [] | [Value::Null] => delta.keys.number(None, seed),
            [Value::Text(text)] => delta.keys.number(Some(text), seed),
            &[Value::Int(value) | Value::Time(value)] => {
                delta.keys.number(Some(&number(value)), seed)
            }
            &[Value::Float(value)] => delta.keys.number(Some(&float(value)), seed),
            values => {
                room.clear();
                for &value in values {
                    composite::push(room, value);
                }
                delta.keys.number(Some(room), seed)
            }
        })
    }

    fn other(&mut self) -> u32 {
        let Delta { other, keys, .. } = &mut self.delta;
        *other.get_or_insert_with(|| keys.other())
    }

    /// Begins a pane.
    fn pane(&mut self, pane: i64) -> Option<usize> {
        self.delta.panes.push(self.checked(pane)?);
        Some(self.delta.panes.len() - 1)
    }

    /// The number of a pane that there can be.
    fn checked(&self, pane: i64) -> Option<i64> {
        let Some(panes) = self.panes else { return (pane == 0).then_some(0) };
        // A window may be longer ago than any time.
        let (first, last) = (panes.number(-2 * MAX_TIME), panes.number(2 * MAX_TIME));
        (first..=last).contains(&pane).then_some(pane)
    }

    /// Reads what a head says besides the shape.
    fn head(&mut self, read: &mut Read<'_>) -> Option<()> {
        self.delta.source = usize::try_from(read.number()?).ok()?;
        let flags = read.byte()?;
        if flags >= 2 * SINCE_START || (flags & PAST == 0 && flags >= PAST) {
            return None;
        }
        let mut next = |flag| if flags & flag == 0 { Some(None) } else { read.signed().map(Some) };
        let (oldest, newest) = (next(OLDEST)?, next(NEWEST)?);
        let (whole_from, first) = (next(PAST)?, next(FIRST)?);
        let is_time = |time: i64| (-MAX_TIME..=MAX_TIME).contains(&time);
        if ![oldest, newest].into_iter().flatten().all(is_time) {
            return None;
        }
        for pane in [whole_from, first].into_iter().flatten() {
            self.checked(pane)?;
        }
        let since_start = flags & SINCE_START != 0;
        self.delta.lost = read.lost(|pane| self.checked(pane))?;
        self.delta.reach = Reach::new(oldest, newest);
        self.delta.past = whole_from.map(|whole_from| Past { whole_from, first, since_start });
        Some(())
    }

    fn body(&mut self, read: &mut Read<'_>) -> Option<()> {
        let keys = self.dictionary(read)?;
        let mut before: Option<i64> = None;
        for _ in 0..read.number()? {
            let pane = match before {
                None => read.signed()?,
                Some(before) => {
                    before.checked_add_unsigned(read.number().filter(|&gap| gap > 0)?)?
                }
            };
            before = Some(pane);
            let pane = self.pane(pane)?;
            self.entries(pane, &keys, read)?;
        }
        Some(())
    }

    /// Reads keys; they get numbers of the delta, which is seldom that of their place.
    fn dictionary(&mut self, read: &mut Read<'_>) -> Option<Vec<u32>> {
        let flags = read.byte().filter(|&flags| flags <= NULL_KEY | OTHER_KEYS)?;
        let mut keys = Vec::new();
        let mut before: KeyBytes<'_> = None;
        for _ in 0..read.number()? {
            let key = read.text()?;
            if before.is_some_and(|before| before >= key) {
                return None;
            }
            before = Some(key);
            keys.push(self.delta.keys.number(Some(key), &self.seed));
        }
        if flags & NULL_KEY != 0 {
            keys.push(self.delta.keys.number(None, &self.seed));
        }
        if flags & OTHER_KEYS != 0 {
            keys.push(self.other());
        }
        Some(keys)
    }

    fn entries(&mut self, pane: usize, keys: &[u32], read: &mut Read<'_>) -> Option<()> {
        let first = self.delta.entries.len();
        let count = read.number().filter(|&count| count > 0)?;
        let mut last: Option<(u64, u32)> = None;
        for _ in 0..count {
            let gap = read.number()?;
            let count = u32::try_from(read.number()?).ok().filter(|&count| count > 0)?;
            let place = last.map_or(Some(gap), |(place, _)| place.checked_add(gap))?;
            // What fits into one entry is in one.
            if last.is_some_and(|(before, sum)| before == place && sum.checked_add(count).is_some())
            {
                return None;
            }
            last = Some((place, count));
            let key = *keys.get(usize::try_from(place).ok()?)?;
            self.delta.entries.push(Entry { pane, key, count });
        }
        for &column in &self.places {
            let column = self.delta.columns.get_mut(column)?;
            for entry in first..self.delta.entries.len() {
                column.decode(entry, &mut read.bytes)?;
            }
        }
        Some(())
    }
}

/// The keys of a delta in order.
struct Ranked {
    /// Numbers in the dictionary.
    ids: Vec<u32>,
    /// Places among these, by number.
    ranks: Vec<u32>,
}

impl Ranked {
    fn new(delta: &Delta) -> Self {
        let mut ids: Vec<u32> = (0..).take(delta.keys.len()).collect();
        let is_other = |id: u32| delta.other == Some(id);
        ids.sort_unstable_by(|&one, &two| {
            let keys = || by_key(delta.keys.key(one), delta.keys.key(two));
            is_other(one).cmp(&is_other(two)).then_with(keys)
        });
        let mut ranks = vec![0; ids.len()];
        for (rank, &id) in (0..).zip(&ids) {
            ranks[id as usize] = rank;
        }
        Self { ids, ranks }
    }

    fn write(&self, delta: &Delta, out: &mut Vec<u8>) {
        let texts: Vec<&[u8]> = self.ids.iter().filter_map(|&id| delta.keys.key(id)).collect();
        let other = u8::from(delta.other.is_some());
        let null = u8::from(self.ids.len() > texts.len() + usize::from(other));
        out.push(null * NULL_KEY + other * OTHER_KEYS);
        put(out, len(texts.len()));
        for text in texts {
            put_text(out, text);
        }
    }
}

/// The entries of a delta by pane and key.
struct Sorted {
    /// Numbers of panes, ascending.
    panes: Vec<i64>,
    entries: Vec<Ranks>,
    /// Which entry of the delta each is.
    places: Vec<u32>,
    /// The parts of each, where several entries of the delta are one.
    merged: Option<Vec<Box<dyn Column>>>,
}

/// An entry by the places of its pane and key in their order.
#[derive(Clone, Copy)]
struct Ranks {
    pane: u32,
    key: u32,
    count: u32,
}

impl Sorted {
    fn new(delta: &Delta, keys: &Ranked) -> Self {
        let mut panes = delta.panes.clone();
        panes.sort_unstable();
        panes.dedup();
        let rank = |number: &i64| panes.binary_search(number).unwrap_or(0);
        let pane_ranks: Vec<usize> = delta.panes.iter().map(rank).collect();
        let of_key = |place: u32| keys.ranks[delta.entries[place as usize].key as usize];
        let of_pane = |place: u32| pane_ranks[delta.entries[place as usize].pane];
        let places: Vec<u32> = (0..).take(delta.entries.len()).collect();
        let places = sorted(&places, keys.ids.len(), |place| of_key(place) as usize);
        let places = sorted(&places, panes.len(), of_pane);

        let mut entries: Vec<Ranks> = Vec::with_capacity(places.len());
        let mut pairs = Vec::with_capacity(places.len());
        let mut first = 0;
        for &place in &places {
            let (pane, key) = (id_of(of_pane(place)), of_key(place));
            let count = delta.entries[place as usize].count;
            let same = entries.last_mut().filter(|last| (last.pane, last.key) == (pane, key));
            if let Some(last) = same {
                // The most that fits comes first, so that equal contents are written alike.
                let sum = u64::from(last.count) + u64::from(count);
                last.count = u32::try_from(sum).unwrap_or(u32::MAX);
                let over = u32::try_from(sum - u64::from(last.count)).unwrap_or(u32::MAX);
                if over > 0 {
                    entries.push(Ranks { pane, key, count: over });
                }
            } else {
                first = id_of(entries.len());
                entries.push(Ranks { pane, key, count });
            }
            pairs.push((first, place));
        }
        let is_plain = (0..).zip(&pairs).all(|(at, &(into, _))| into == at);
        let merged = (!is_plain).then(|| {
            let merge = |column: &dyn Column| {
                let mut merged = column.fresh();
                merged.resize(entries.len());
                merged.merge(column, &pairs);
                merged
            };
            delta.columns.iter().map(|column| merge(&**column)).collect()
        });
        Self { panes, entries, places, merged }
    }

    /// The entries of each pane.
    fn runs(&self) -> impl Iterator<Item = &[Ranks]> {
        self.entries.chunk_by(|one, other| one.pane == other.pane)
    }

    fn columns<'a>(&'a self, delta: &'a Delta) -> &'a [Box<dyn Column>] {
        self.merged.as_deref().unwrap_or(&delta.columns)
    }

    /// Where the part of an entry stands in these columns.
    fn part(&self, entry: usize) -> usize {
        if self.merged.is_some() { entry } else { self.places[entry] as usize }
    }
}

/// Sorts by buckets; what is of one bucket stays in order.
fn sorted(places: &[u32], buckets: usize, of: impl Fn(u32) -> usize) -> Vec<u32> {
    let mut starts = vec![0; buckets + 1];
    for &place in places {
        starts[of(place) + 1] += 1;
    }
    for bucket in 1..starts.len() {
        starts[bucket] += starts[bucket - 1];
    }
    let mut sorted = vec![0; places.len()];
    for &place in places {
        let at = &mut starts[of(place)];
        sorted[*at] = place;
        *at += 1;
    }
    sorted
}

/// What an export is of.
struct Shape {
    panes: Option<(i64, i64)>,
    keys: Vec<Typed>,
    values: Vec<Typed>,
    columns: Vec<String>,
}

impl Shape {
    fn read(read: &mut Read<'_>) -> Option<Self> {
        let panes = match read.byte()? {
            0 => None,
            1 => Some((read.signed()?, read.signed()?)),
            _ => return None,
        };
        let (keys, values) = (read.fields()?, read.fields()?);
        let mut columns = Vec::new();
        for _ in 0..read.number()? {
            columns.push(read.name()?);
        }
        Some(Self { panes, keys, values, columns })
    }
}

/// Bytes that are read from the front.
struct Read<'a> {
    bytes: &'a [u8],
}

impl<'a> Read<'a> {
    fn exact<const N: usize>(&mut self) -> Option<[u8; N]> {
        super::aggregate::take(&mut self.bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.exact().map(|[byte]| byte)
    }

    /// Of several ways to write a number only the shortest is one.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(text)
    }

    fn name(&mut self) -> Option<String> {
        std::str::from_utf8(self.text()?).ok().map(str::to_owned)
    }

    fn fields(&mut self) -> Option<Vec<Typed>> {
        let mut fields = Vec::new();
        for _ in 0..self.number()? {
            fields.push(Typed { name: self.name()?, kind: kind_by(self.byte()?)? });
        }
        Some(fields)
    }

    fn lost(
        &mut self,
        checked: impl Fn(i64) -> Option<i64>,
    ) -> Option<Vec<(Option<i64>, Counters)>> {
        let mut lost = Vec::new();
        let mut fed = 0_u64;
        for _ in 0..self.number()? {
            let pane = match self.byte()? {
                0 => None,
                1 => Some(checked(self.signed()?)?),
                _ => return None,
            };
            let mut lines = Counters::default();
            for _ in 0..self.number()? {
                let (what, count) = (self.byte()?, self.number()?);
                fed = fed.checked_add(count).filter(|&fed| fed <= MOST_LINES)?;
                lines.fed += count;
                match what {
                    COUNTED => lines.counted += count,
                    LATE => lines.late += count,
                    FILTERED => lines.filtered += count,
                    _ => {
                        let place = usize::from(what.checked_sub(REJECTED)?);
                        lines.reject_all(Reason::NAMES.get(place)?.1, count);
                    }
                }
            }
            lost.push((pane, lines));
        }
        Some(lost)
    }
}

/// Lines that are in no pane, those of one pane together.
fn put_lost(out: &mut Vec<u8>, lost: &[(Option<i64>, Counters)]) {
    let mut by_pane = std::collections::BTreeMap::<Option<i64>, Counters>::new();
    for (pane, lines) in lost {
        by_pane.entry(*pane).or_default().add(lines);
    }
    put(out, len(by_pane.len()));
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
        put(out, len(counts.len()));
        for (code, count) in counts {
            out.push(code);
            put(out, count);
        }
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63).cast_unsigned());
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put(out, len(text.len()));
    out.extend_from_slice(text);
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

const KINDS: [Seen; 6] = [
    None,
    Some((Kind::Text, false)),
    Some((Kind::Text, true)),
    Some((Kind::Int, false)),
    Some((Kind::Float, false)),
    Some((Kind::Time, false)),
];

fn code_of(kind: Seen) -> u8 {
    // Only text is ever raw.
    let kind = kind.map(|(kind, raw)| (kind, raw && kind == Kind::Text));
    (0..).zip(KINDS).find(|&(_, known)| known == kind).map_or(0, |(code, _)| code)
}

fn kind_by(code: u8) -> Option<Seen> {
    KINDS.get(usize::from(code)).copied()
}

/// Keys of which none was seen are text as well as anything.
fn kind_of(seen: Seen) -> (Kind, bool) {
    seen.unwrap_or((Kind::Text, false))
}

/// What two kinds are together, as when values are added: whole numbers among floats are floats,
/// but in keys, where they would be others.
pub(crate) fn agreed(one: Seen, other: Seen, key: bool) -> Option<Seen> {
    match (one, other) {
        (None, kind) | (kind, None) => Some(kind),
        (one, other) if one == other => Some(one),
        (Some((Kind::Int | Kind::Float, _)), Some((Kind::Int | Kind::Float, _))) if !key => {
            Some(Some((Kind::Float, false)))
        }
        _ => None,
    }
}

fn differs(what: &str, there: &str, here: &str, mend: &str) -> ImportError {
    ImportError::Differs(format!("the export has {what} {there} and this window {here}; {mend}"))
}

fn words<T: AsRef<str>>(names: &[T]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

fn panes_in_words(panes: Option<(i64, i64)>) -> String {
    match panes {
        None => "everything at once".to_owned(),
        Some((width, 0)) => seconds(width),
        Some((width, offset)) => {
            format!("{} with an offset of {}", seconds(width), seconds(offset))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn seconds(micros: i64) -> String {
    format!("{}s", micros as f64 / 1e6)
}

fn kind_in_words(kind: Seen) -> &'static str {
    match kind {
        None => "null",
        Some((_, true)) => "bytes",
        Some((kind, false)) => kind.name(),
    }
}
