//! Decodes deltas from bytes and rows.

use super::compatibility::{ExportHeader, kind_by, kind_of};
use super::{
    ABANDONED, COUNTED, EVICTED, FILTERED, FIRST, ImportError, Imported, LATE, Layout, MAGIC,
    MAX_LINES, NEWEST, NULL_KEY, OLDEST, OLDEST_VERSION, OTHER_KEYS, REJECTED, RESENT, SINCE_START,
    SeenKind, TypedField, VERSION,
};
use crate::ground::{Counters, Kind, MAX_TIME, Panes, Reason, Value};
use crate::windows::delta::{Delta, Entry, Evicted};
use crate::windows::key_encoding;
use crate::windows::keys::{KeyBytes, Seed};
use crate::windows::parts::TimeBounds;
use crate::windows::varint::{get_signed, get_text, get_varint, take};

impl Layout {
    /// Decodes an export into a delta for a state of this layout.
    pub fn decode(&self, bytes: &[u8], seed: &Seed) -> Result<Imported, ImportError> {
        let mut rest = bytes;
        let mut importer = self.importer_of(&mut rest, bytes.len(), seed)?;
        let body = importer.body(&mut rest).filter(|()| rest.is_empty());
        body.and_then(|()| importer.finish()).ok_or(ImportError::Damaged(bytes.len() - rest.len()))
    }

    /// Decodes a header; the entries of the panes follow one by one.
    pub(crate) fn importer(&self, header: &[u8], seed: &Seed) -> Result<Importer, ImportError> {
        let mut rest = header;
        let importer = self.importer_of(&mut rest, header.len(), seed)?;
        if rest.is_empty() {
            Ok(importer)
        } else {
            Err(ImportError::Damaged(header.len() - rest.len()))
        }
    }

    fn importer_of(
        &self,
        bytes: &mut &[u8],
        len: usize,
        seed: &Seed,
    ) -> Result<Importer, ImportError> {
        if take(bytes) != Some(MAGIC) {
            return Err(ImportError::NotAnExport);
        }
        match byte(bytes) {
            Some(OLDEST_VERSION..=VERSION) => {}
            Some(version) => return Err(ImportError::Version(version)),
            None => return Err(ImportError::NotAnExport),
        }
        let header = ExportHeader::read(bytes).ok_or(ImportError::Damaged(len - bytes.len()))?;
        let (keys, values) = self.check_compatible(&header)?;
        let mut importer = Importer {
            delta: Delta::new(0, self.plan.columns()),
            panes: self.panes,
            places: self.places(&header.columns)?,
            keys,
            values,
            seed: seed.clone(),
            room: Vec::new(),
        };
        importer.header(bytes).ok_or(ImportError::Damaged(len - bytes.len()))?;
        if self.since_start && importer.delta.evicted.is_some_and(|evicted| !evicted.since_start) {
            return Err(ImportError::Incompatible(
                "the export lacks the panes that left its window, and this window has a length \
                 since the start; give the exporting window a length since the start as well"
                    .to_owned(),
            ));
        }
        Ok(importer)
    }
}

/// Builds a delta from the entries of an export.
#[derive(Debug)]
pub(crate) struct Importer {
    delta: Delta,
    panes: Option<Panes>,
    /// The place of each column of the export in the plan.
    places: Vec<usize>,
    keys: Vec<SeenKind>,
    values: Vec<SeenKind>,
    seed: Seed,
    /// Buffer for keys of several fields.
    room: Vec<u8>,
}

impl Importer {
    /// Adds a row of a table. `key` is `None` for the keys above the limit, and the partials are in
    /// the order of the export's columns. Returns `None` if the row is invalid.
    pub(crate) fn push(
        &mut self,
        start: i64,
        key: Option<&[Value<'_>]>,
        count: i64,
        partials: &[&[u8]],
    ) -> Option<()> {
        let pane = match self.panes {
            None => 0,
            Some(panes) => Some(panes.number(start))
                .filter(|&pane| panes.end(pane.saturating_sub(1)) == start)?,
        };
        let count = u32::try_from(count).ok().filter(|&count| count > 0)?;
        if partials.len() != self.places.len() {
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
        for (&column, &partial) in self.places.iter().zip(partials) {
            let mut bytes = partial;
            self.delta.columns.get_mut(column)?.decode(entry, &mut bytes)?;
            if !bytes.is_empty() {
                return None;
            }
        }
        Some(())
    }

    /// Returns the number of partials in a row, which is the number of columns of the export.
    pub(crate) fn partial_count(&self) -> usize {
        self.places.len()
    }

    /// Returns the delta; `None` if it has more lines than possible.
    pub(crate) fn finish(self) -> Option<Imported> {
        let Self { mut delta, keys, values, .. } = self;
        let counted = delta.entries.iter().map(|entry| u64::from(entry.count)).sum();
        let mut lines = Counters::of_counted(counted);
        for (_, skipped) in &delta.skipped {
            lines.add(skipped);
        }
        delta.lines = lines;
        (lines.fed <= MAX_LINES).then_some(Imported { delta, keys, values })
    }

    /// Returns the number of a key, whose values have to be of the announced kinds.
    fn key(&mut self, values: &[Value<'_>]) -> Option<u32> {
        let fits = |value: &Value<'_>, kind: &SeenKind| match (value, kind_of(*kind).0) {
            (Value::Text(text), Kind::Any) => key_encoding::is_stored(text),
            (Value::Json(_), _) => false,
            (value, kind) => value.kind().is_none_or(|found| found == kind),
        };
        if values.len() != self.keys.len()
            || !values.iter().zip(&self.keys).all(|(value, kind)| fits(value, kind))
        {
            return None;
        }
        let Self { delta, seed, room, keys, .. } = self;
        let kinds: Vec<Kind> = keys.iter().map(|&kind| kind_of(kind).0).collect();
        let key = key_encoding::encode_stored(values, &kinds, room);
        Some(delta.keys.number(key, seed))
    }

    fn other(&mut self) -> u32 {
        let Delta { other, keys, .. } = &mut self.delta;
        *other.get_or_insert_with(|| keys.other())
    }

    /// Starts a pane.
    fn pane(&mut self, pane: i64) -> Option<usize> {
        self.delta.panes.push(self.checked(pane)?);
        Some(self.delta.panes.len() - 1)
    }

    /// Returns the number of a pane, if it is in range.
    fn checked(&self, pane: i64) -> Option<i64> {
        let Some(panes) = self.panes else { return (pane == 0).then_some(0) };
        panes.can_contain_events(pane).then_some(pane)
    }

    /// Decodes the rest of the header.
    fn header(&mut self, bytes: &mut &[u8]) -> Option<()> {
        self.delta.source = usize::try_from(get_varint(bytes)?).ok()?;
        let flags = byte(bytes)?;
        if flags >= 2 * SINCE_START || (flags & EVICTED == 0 && flags >= EVICTED) {
            return None;
        }
        let mut next =
            |flag| if flags & flag == 0 { Some(None) } else { get_signed(bytes).map(Some) };
        let (oldest, newest) = (next(OLDEST)?, next(NEWEST)?);
        let (complete_from, first) = (next(EVICTED)?, next(FIRST)?);
        let is_time = |time: i64| (-MAX_TIME..=MAX_TIME).contains(&time);
        if ![oldest, newest].into_iter().flatten().all(is_time) {
            return None;
        }
        for pane in [complete_from, first].into_iter().flatten() {
            self.checked(pane)?;
        }
        let since_start = flags & SINCE_START != 0;
        self.delta.skipped = skipped(bytes, |pane| self.checked(pane))?;
        self.delta.time_bounds = TimeBounds::new(oldest, newest);
        self.delta.evicted =
            complete_from.map(|complete_from| Evicted { complete_from, first, since_start });
        Some(())
    }

    fn body(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let keys = self.dictionary(bytes)?;
        let mut before: Option<i64> = None;
        for _ in 0..get_varint(bytes)? {
            let pane = match before {
                None => get_signed(bytes)?,
                Some(before) => {
                    before.checked_add_unsigned(get_varint(bytes).filter(|&gap| gap > 0)?)?
                }
            };
            before = Some(pane);
            let pane = self.pane(pane)?;
            self.entries(pane, &keys, bytes)?;
        }
        Some(())
    }

    /// Decodes the keys. Their numbers in the delta mostly differ from their places in the export.
    fn dictionary(&mut self, bytes: &mut &[u8]) -> Option<Vec<u32>> {
        let flags = byte(bytes).filter(|&flags| flags <= NULL_KEY | OTHER_KEYS)?;
        let mut keys = Vec::new();
        let mut before: KeyBytes<'_> = None;
        for _ in 0..get_varint(bytes)? {
            let key = get_text(bytes)?;
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

    fn entries(&mut self, pane: usize, keys: &[u32], bytes: &mut &[u8]) -> Option<()> {
        let first = self.delta.entries.len();
        let count = get_varint(bytes).filter(|&count| count > 0)?;
        let mut last: Option<(u64, u32)> = None;
        for _ in 0..count {
            let gap = get_varint(bytes)?;
            let count = u32::try_from(get_varint(bytes)?).ok().filter(|&count| count > 0)?;
            let place = last.map_or(Some(gap), |(place, _)| place.checked_add(gap))?;
            // Counts that fit into one entry have to be in one.
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
                column.decode(entry, bytes)?;
            }
        }
        Some(())
    }
}

impl ExportHeader {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let panes = match byte(bytes)? {
            0 => None,
            1 => Some((get_signed(bytes)?, get_signed(bytes)?)),
            _ => return None,
        };
        let (keys, values) = (fields(bytes)?, fields(bytes)?);
        let mut columns = Vec::new();
        for _ in 0..get_varint(bytes)? {
            columns.push(name(bytes)?);
        }
        Some(Self { panes, keys, values, columns })
    }
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    take(bytes).map(|[byte]| byte)
}

fn name(bytes: &mut &[u8]) -> Option<String> {
    str::from_utf8(get_text(bytes)?).ok().map(str::to_owned)
}

fn fields(bytes: &mut &[u8]) -> Option<Vec<TypedField>> {
    let mut fields = Vec::new();
    for _ in 0..get_varint(bytes)? {
        fields.push(TypedField { name: name(bytes)?, kind: kind_by(byte(bytes)?)? });
    }
    Some(fields)
}

fn skipped(
    bytes: &mut &[u8],
    checked: impl Fn(i64) -> Option<i64>,
) -> Option<Vec<(Option<i64>, Counters)>> {
    let mut skipped = Vec::new();
    let mut sum = 0_u64;
    for _ in 0..get_varint(bytes)? {
        let pane = match byte(bytes)? {
            0 => None,
            1 => Some(checked(get_signed(bytes)?)?),
            _ => return None,
        };
        let mut lines = Counters::default();
        for _ in 0..get_varint(bytes)? {
            let (what, count) = (byte(bytes)?, get_varint(bytes)?);
            sum = sum.checked_add(count).filter(|&sum| sum <= MAX_LINES)?;
            if !matches!(what, ABANDONED | RESENT) {
                lines.fed += count;
            }
            match what {
                COUNTED => lines.counted += count,
                LATE => lines.late += count,
                FILTERED => lines.filtered += count,
                ABANDONED => lines.abandoned += count,
                RESENT => lines.resent += count,
                _ => {
                    let place = usize::from(what.checked_sub(REJECTED)?);
                    lines.reject_all(Reason::NAMES.get(place)?.1, count);
                }
            }
        }
        skipped.push((pane, lines));
    }
    Some(skipped)
}
