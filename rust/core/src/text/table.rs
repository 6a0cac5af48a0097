//! Parses lines into columns, for the Python library.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::filter::{BoundFilter, Filter};
use super::flume::BatchError;
use super::format::{Format, LineBlock, Reader, UnknownField};
use super::in_line::{InLine, Placed};
use super::lines::Chunk;
use super::rejects::{Fate, RejectInfo, Rejects, explain_reject, read_filtered};
use crate::ground::any_column::AnyType;
use crate::ground::{
    AnyColumn, Bits, Column, Counters, InputError, Kind, Reason, Rows, Value, Values, lossy, quoted,
};

/// Buffering lines does not pay with fewer deferred columns than this.
const MIN_DEFERRED: usize = 4;

/// A batch ends before its text could outgrow offsets of 31 bits: replacing invalid UTF-8 makes
/// text up to three times as long.
const MAX_BATCH_BYTES: usize = (i32::MAX as usize) / 4;

/// The most columns for fields that the format does not list. A log with more has keys that are
/// data, such as names of users.
const MAX_OWN_COLUMNS: usize = 1_000;

/// What a row of nulls counts in a batch: the reason, which is its only text.
const NULL_ROW_BYTES: usize = 8;

/// The most values of a column for which memory is reserved in advance.
const MAX_RESERVED: usize = 1 << 22;

/// A rejected line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The number of the line, from 0.
    pub line: usize,
    /// The byte at which it stops matching the format.
    pub byte: usize,
    /// Why it was rejected.
    pub reason: Reason,
    /// What was expected at that byte.
    pub expected: &'static str,
}

/// The fields of lines as columns.
#[derive(Clone, Debug)]
pub struct Table {
    /// The names of the columns.
    pub fields: Vec<String>,
    /// The rows, in order; a new batch begins before a column becomes too long.
    pub batches: Vec<Rows>,
    /// The number of rows.
    pub rows: usize,
    /// The number of lines that the filter does not keep.
    pub filtered: usize,
    /// The number of headers and comments.
    pub headers: usize,
    /// The rejected lines; if rows are in line with lines, only the first one.
    pub rejects: Vec<Rejected>,
    /// Whether each line has a row, if rows are in line with lines and some lines have none.
    pub kept: Option<Rows>,
    /// How many values have no column, because there would be too many columns.
    pub left_out: usize,
}

impl Table {
    /// Fails if values were left out.
    pub fn check(&self) -> Result<(), InputError> {
        match self.left_out {
            0 => Ok(()),
            _ => Err(InputError::Value(format!(
                "fields: expected at most {MAX_OWN_COLUMNS} different keys in the lines, found \
                 more; name the fields to parse"
            ))),
        }
    }
}

/// Builds a table, line by line.
#[derive(Debug)]
pub struct TableBuilder {
    reader: Reader,
    filter: Option<BoundFilter>,
    /// The first column of times: consecutive lines often have the same time, which the reader
    /// caches for one column.
    times: Option<usize>,
    /// The columns that are filled line by line, and those that are filled block by block.
    immediate: Vec<usize>,
    deferred: Vec<usize>,
    block: LineBlock,
    /// The columns of any type: those of fields, and those that the lines themselves name.
    any: Vec<AnyField>,
    /// The places in `any` of those that lines name; `None` if lines do not.
    own: Option<BTreeMap<Box<[u8]>, usize>>,
    /// The places of rows, if they are in line with lines.
    placed: Option<Placed>,
    kinds: Vec<Kind>,
    table: Table,
    line: usize,
    /// The length of all lines together, where that is known.
    expected: usize,
    /// The length of the lines in the last batch, and its limit.
    bytes: usize,
    max_bytes: usize,
}

/// A column of any type: its place among the columns, and its values in each batch.
#[derive(Debug)]
struct AnyField {
    place: usize,
    batches: Vec<AnyColumn>,
}

impl AnyField {
    fn set(&mut self, batch: usize, row: usize, value: Value<'_>) {
        if self.batches.len() <= batch {
            self.batches.resize_with(batch + 1, AnyColumn::default);
        }
        self.batches[batch].set(row, value);
    }
}

impl TableBuilder {
    /// Creates a table of the reader's fields, for the lines that the filter keeps. Fields that
    /// only the filter needs have no column.
    pub fn from_reader(reader: Reader, filter: Option<BoundFilter>) -> Self {
        let columns = filter.as_ref().map_or(reader.names().len(), BoundFilter::columns);
        let fields =
            (0..columns).map(|field| (reader.name(field).to_owned(), reader.kind(field))).collect();
        Self::with_fields(reader, filter, fields)
    }

    /// Creates a table of these fields, or of all that the format has by default and those that the
    /// lines name themselves.
    ///
    /// Where headers name the columns, `text` is scanned for headers: the table has the columns of
    /// all of them.
    pub fn new(
        format: &Format,
        text: &[u8],
        names: Option<&[String]>,
        filter: Option<&Filter>,
    ) -> Result<Self, UnknownField> {
        let mut formats = vec![format.clone()];
        if format.has_header() {
            formats.extend(format.sections(text).0.into_iter().map(|(_, section)| section));
            // A format whose header has not been read yet has no fields.
            if formats.iter().any(|one| !one.fields().is_empty()) {
                formats.retain(|one| !one.fields().is_empty());
            }
        }
        let mut fields: Vec<(String, Kind)> = Vec::new();
        let mut add = |name: &str| -> Result<(), UnknownField> {
            if fields.iter().all(|(known, _)| known != name) {
                let unknown = || UnknownField { name: name.to_owned() };
                let kind = formats.iter().find_map(|one| one.kind(name)).ok_or_else(unknown)?;
                fields.push((name.to_owned(), kind));
            }
            Ok(())
        };
        let is_default = names.is_none();
        if let Some(names) = names {
            names.iter().try_for_each(|name| add(name))?;
        } else {
            let given = formats.iter().flat_map(Format::fields).filter(|field| !field.on_demand);
            given.map(|field| field.name).try_for_each(|name| add(&name))?;
        }
        let names: Vec<_> = fields.iter().map(|(name, _)| &**name).collect();
        let (reader, filter) = match filter {
            None => (Reader::lenient(format, &names), None),
            Some(filter) => {
                let (reader, bound) = filter.lenient_reader(format, &names);
                (reader, Some(bound))
            }
        };
        let table = Self { expected: text.len(), ..Self::with_fields(reader, filter, fields) };
        Ok(if is_default { table.with_own_fields() } else { table })
    }

    /// Creates a table of these fields whose rows are in line with the lines. Its columns are of
    /// the types of the fields; those of any type are text: of a value that is not, its JSON.
    pub fn in_line(
        format: &Format,
        names: &[String],
        filter: Option<&Filter>,
        how: InLine,
    ) -> Result<Self, InputError> {
        let mut table = Self::new(format, b"", Some(names), filter)?;
        if let Some(name) = names.iter().find(|name| names.iter().filter(|n| n == name).count() > 1)
        {
            let message = format!("fields: expected each field once, found {} twice", quoted(name));
            return Err(InputError::Value(message));
        }
        table.placed = Some(Placed::new(how));
        Ok(table)
    }

    /// Adds a column for each other field that a line has.
    #[must_use]
    pub fn with_own_fields(mut self) -> Self {
        self.own = Some(BTreeMap::new());
        self
    }

    fn with_fields(
        reader: Reader,
        filter: Option<BoundFilter>,
        fields: Vec<(String, Kind)>,
    ) -> Self {
        let (fields, kinds): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        let batches = vec![Rows::new(&kinds)];
        let table = Table {
            fields,
            batches,
            rows: 0,
            filtered: 0,
            headers: 0,
            rejects: Vec::new(),
            kept: None,
            left_out: 0,
        };
        let times = kinds.iter().position(|&kind| kind == Kind::Time);
        let any = kinds.iter().enumerate().filter(|(_, kind)| **kind == Kind::Any);
        let any = any.map(|(place, _)| AnyField { place, batches: Vec::new() }).collect();
        let can_defer = |field: &usize| kinds[*field] != Kind::Any && reader.can_defer(*field);
        let (mut deferred, mut immediate): (Vec<_>, Vec<_>) =
            (0..table.fields.len()).partition(can_defer);
        if deferred.len() < MIN_DEFERRED {
            immediate = (0..table.fields.len()).collect();
            deferred.clear();
        }
        Self {
            reader,
            filter,
            times,
            immediate,
            deferred,
            block: LineBlock::default(),
            any,
            own: None,
            placed: None,
            kinds,
            table,
            line: 0,
            expected: 0,
            bytes: 0,
            max_bytes: MAX_BATCH_BYTES,
        }
    }

    /// Adds the next line.
    pub fn push(&mut self, line: &[u8]) {
        let number = self.line;
        self.line += 1;
        match read_filtered(&mut self.reader, self.filter.as_ref(), line) {
            Ok(Fate::Kept) => {}
            Ok(fate) => {
                self.table.filtered += usize::from(fate == Fate::Filtered);
                self.table.headers += usize::from(fate == Fate::Header);
                self.place_no_row(number, fate);
                return;
            }
            Err(info) => {
                // Explaining a line can take another pass over it.
                if self.placed.is_none() || self.table.rejects.is_empty() {
                    let RejectInfo { byte, reason, expected } =
                        explain_reject(&mut self.reader, line, info);
                    self.table.rejects.push(Rejected { line: number, byte, reason, expected });
                }
                self.place_reject(number, info.reason);
                return;
            }
        }
        self.make_room(line.len());
        let number = self.table.batches.len() - 1;
        let Some(batch) = self.table.batches.last_mut() else { return };
        for field in &mut self.any {
            if field.place < self.kinds.len() {
                field.set(number, batch.len, self.reader.value(line, field.place));
            }
        }
        for &field in &self.immediate {
            if self.kinds[field] == Kind::Any {
                continue;
            }
            batch.columns[field].push(if self.times == Some(field) {
                self.reader.time(line, field).map_or(Value::Null, Value::Time)
            } else {
                self.reader.value(line, field)
            });
        }
        if let Some(own) = &mut self.own
            && let Some(found) = self.reader.line_fields(line, self.kinds.len())
        {
            let mut room = Vec::new();
            let text = self.reader.own_text(line);
            for field in &found.own {
                let value = field.read(text, &mut room);
                let place = own.get(field.name(text)).copied();
                match place {
                    Some(place) => self.any[place].set(number, batch.len, value),
                    None if value == Value::Null => {}
                    None if own.len() == MAX_OWN_COLUMNS => self.table.left_out += 1,
                    None => {
                        own.insert(field.name(text).into(), self.any.len());
                        let place = self.kinds.len() + own.len() - 1;
                        let mut name = lossy(field.name(text)).into_owned();
                        while self.table.fields.contains(&name) {
                            name.insert_str(0, "own.");
                        }
                        self.table.fields.push(name);
                        self.any.push(AnyField { place, batches: Vec::new() });
                        if let Some(column) = self.any.last_mut() {
                            column.set(number, batch.len, value);
                        }
                    }
                }
            }
        }
        batch.len += 1;
        self.table.rows += 1;
        if self.deferred.is_empty() {
            if batch.len == 1 {
                self.reserve();
            }
            return;
        }
        self.reader.push_to(line, &mut self.block);
        if self.block.len == LineBlock::CAPACITY {
            self.flush();
        }
    }

    /// Adds a line that is missing: an empty one, if rows are not in line with lines.
    pub fn push_missing(&mut self) {
        if self.placed.is_none() {
            self.push(b"");
            return;
        }
        let number = self.line;
        self.line += 1;
        self.place_no_row(number, Fate::Header);
    }

    /// Notes that a line has no fields.
    #[cold]
    fn place_no_row(&mut self, line: usize, fate: Fate) {
        let Some(placed) = &mut self.placed else { return };
        if fate == Fate::Header && placed.how.keep_rejected && self.filter.is_none() {
            self.push_nulls(None);
        } else {
            placed.leave_out(line);
        }
    }

    /// Notes that a line was rejected.
    #[cold]
    fn place_reject(&mut self, line: usize, reason: Reason) {
        let Some(placed) = &mut self.placed else { return };
        if placed.how.keep_rejected {
            self.push_nulls(Some(reason));
        } else {
            placed.leave_out(line);
        }
    }

    /// Adds a row of nulls.
    fn push_nulls(&mut self, reason: Option<Reason>) {
        self.make_room(NULL_ROW_BYTES);
        let number = self.table.batches.len() - 1;
        let Some(batch) = self.table.batches.last_mut() else { return };
        for &field in &self.immediate {
            batch.columns[field].push(Value::Null);
        }
        if let (Some(placed), Some(reason)) = (&mut self.placed, reason) {
            placed.reject((number, batch.len), reason);
        }
        batch.len += 1;
        self.table.rows += 1;
        if !self.deferred.is_empty() {
            self.reader.push_nulls_to(&mut self.block);
            if self.block.len == LineBlock::CAPACITY {
                self.flush();
            }
        }
    }

    /// Begins a new batch if a row of this many bytes could make the last one too long.
    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.bytes + bytes > self.max_bytes {
            self.flush();
            self.table.batches.push(Rows::new(&self.kinds));
            self.bytes = 0;
        }
        self.bytes += bytes;
    }

    /// Fills the deferred columns from the buffered lines.
    fn flush(&mut self) {
        let Some(batch) = self.table.batches.last_mut() else { return };
        let is_first = batch.len == self.block.len;
        for &field in &self.deferred {
            batch.columns[field].extend(&self.reader, &self.block, field);
        }
        let is_any = self.block.len > 0;
        self.block.clear();
        if is_first && is_any {
            self.reserve();
        }
    }

    /// Reserves memory for all lines of a batch, once it has some: columns that grow step by step
    /// are copied each time.
    fn reserve(&mut self) {
        let Some(batch) = self.table.batches.last_mut() else { return };
        // The estimate assumes lines like the first ones; memory that is not used costs nothing.
        let bytes = self.expected.min(self.max_bytes);
        let lines = bytes.saturating_mul(batch.len) / (self.bytes + batch.len).max(1);
        let lines = (lines + lines / 8).min(MAX_RESERVED);
        batch.columns.iter_mut().for_each(|column| column.reserve(lines, batch.len));
    }

    /// Returns the table.
    pub fn finish(mut self) -> Table {
        self.flush();
        // The rows where text is replaced.
        let mut replaced: Vec<_> =
            self.table.batches.iter().map(|batch| Bits::zeros(batch.len)).collect();
        for (batch, replaced) in self.table.batches.iter_mut().zip(&mut replaced) {
            for column in &mut batch.columns {
                if let Values::Text { offsets, data } = &mut column.values
                    && !is_text(offsets, data)
                {
                    make_text(offsets, data, replaced);
                }
            }
        }
        for AnyField { place, batches } in self.any {
            let kind = if self.placed.is_some() {
                for (batch, replaced) in batches.iter().zip(&mut replaced) {
                    batch.rows_of_bad_text().for_each(|row| replaced.set(row));
                }
                AnyType::Text
            } else {
                let kinds = batches.iter().map(AnyColumn::common_type);
                kinds.fold(AnyType::Nulls, AnyType::with)
            };
            let mut columns = batches.into_iter();
            for batch in &mut self.table.batches {
                let column = columns.next().unwrap_or_default().finish(batch.len, kind);
                // Those that lines name are in the order of their places, after the others.
                match batch.columns.get_mut(place) {
                    Some(given) => *given = column,
                    None => batch.columns.push(column),
                }
            }
        }
        if let Some(placed) = self.placed {
            self.table.fields.extend(placed.how.reasons.clone());
            self.table.fields.extend(placed.how.bad_utf8.clone());
            self.table.kept = placed.finish(&mut self.table.batches, replaced, self.line);
        }
        self.table
    }
}

impl Rows {
    fn new(kinds: &[Kind]) -> Self {
        let columns = kinds.iter().map(|&kind| Column::new(kind)).collect();
        Self { columns, len: 0 }
    }
}

impl Column {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Text { offsets: vec![0], data: Vec::new() },
            Kind::Int => Values::Int(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Time => Values::Time(Vec::new()),
            // Replaced at the end.
            Kind::Any => Values::Nulls(0),
        };
        Self { valid: Bits::default(), values }
    }

    /// Reserves memory for `values` values that are like the `existing` ones.
    fn reserve(&mut self, values: usize, existing: usize) {
        match &mut self.values {
            Values::Text { offsets, data } => {
                offsets.reserve(values);
                data.reserve((data.len().saturating_mul(values) / existing).min(MAX_BATCH_BYTES));
            }
            Values::Int(numbers) | Values::Time(numbers) => numbers.reserve(values),
            Values::Float(numbers) => numbers.reserve(values),
            // Only snapshots have the others, and columns of any type.
            _ => {}
        }
    }

    /// Appends the values that the buffered lines have in a field.
    fn extend(&mut self, reader: &Reader, block: &LineBlock, field: usize) {
        let mut valid = 0_u64;
        let mut bit = 0;
        let mut push_bit = |is_valid: bool| {
            valid |= u64::from(is_valid) << bit;
            bit += 1;
        };
        match &mut self.values {
            Values::Text { offsets, data } => reader.block_values(block, field, |value| {
                if let Value::Text(text) = value {
                    data.extend_from_slice(text);
                }
                push_bit(matches!(value, Value::Text(_)));
                offsets.push(i32::try_from(data.len()).unwrap_or(i32::MAX));
            }),
            Values::Int(values) => reader.block_values(block, field, |value| {
                let number = if let Value::Int(number) = value { Some(number) } else { None };
                push_bit(number.is_some());
                values.push(number.unwrap_or_default());
            }),
            _ => {}
        }
        self.valid.extend(valid, block.len);
    }

    #[inline]
    fn push(&mut self, value: Value<'_>) {
        let is_valid = match (&mut self.values, value) {
            (Values::Text { offsets, data }, value) => {
                let is_text = if let Value::Text(text) = value {
                    data.extend_from_slice(text);
                    true
                } else {
                    false
                };
                offsets.push(i32::try_from(data.len()).unwrap_or(i32::MAX));
                is_text
            }
            (Values::Int(values), Value::Int(value))
            | (Values::Time(values), Value::Time(value)) => {
                values.push(value);
                true
            }
            (Values::Float(values), Value::Float(value)) => {
                values.push(value);
                true
            }
            (Values::Int(values) | Values::Time(values), _) => {
                values.push(0);
                false
            }
            (Values::Float(values), _) => {
                values.push(0.0);
                false
            }
            _ => false,
        };
        self.valid.push(is_valid);
    }
}

/// Whether every value is UTF-8. Checking them one by one took an eighth of a full parse.
fn is_text(offsets: &[i32], data: &[u8]) -> bool {
    // A character of several bytes must not span two values.
    let begins = |offset: &i32| {
        let byte = usize::try_from(*offset).ok().and_then(|at| data.get(at));
        byte.is_none_or(|byte| byte & 0xc0 != 0x80)
    };
    std::str::from_utf8(data).is_ok() && (data.is_ascii() || offsets.iter().all(begins))
}

/// Replaces invalid UTF-8, and marks the rows where it did.
fn make_text(offsets: &mut [i32], data: &mut Vec<u8>, replaced: &mut Bits) {
    let raw = std::mem::take(data);
    let mut start = 0;
    // The first offset is the start of the first value.
    for (row, offset) in offsets.iter_mut().skip(1).enumerate() {
        let end = usize::try_from(*offset).unwrap_or(start);
        let text = lossy(raw.get(start..end).unwrap_or_default());
        if matches!(text, Cow::Owned(_)) {
            replaced.set(row);
        }
        data.extend_from_slice(text.as_bytes());
        *offset = i32::try_from(data.len()).unwrap_or(i32::MAX);
        start = end;
    }
}

/// Parses the lines of a chunk into a table, and counts what became of each line.
pub fn parse_chunk(
    reader: Reader,
    filter: Option<BoundFilter>,
    own: bool,
    chunk: Chunk<'_>,
    mut rejects: Option<&mut Rejects>,
) -> Result<(Table, Counters), BatchError> {
    let mut builder = TableBuilder::from_reader(reader, filter);
    if own {
        builder = builder.with_own_fields();
    }
    let mut lines = Counters::default();
    chunk.for_each(|line| {
        lines.fed += 1;
        let before = builder.table.rejects.len();
        builder.push(line);
        if let Some(reject) = builder.table.rejects.get(before) {
            lines.reject(reject.reason);
            if let Some(rejects) = &mut rejects {
                rejects.write(lines.fed, reject.byte, reject.reason, line);
            }
        }
    })?;
    let table = builder.finish();
    lines.counted = table.rows as u64;
    lines.filtered = table.filtered as u64;
    lines.headers = table.headers as u64;
    lines.fed -= lines.headers;
    Ok((table, lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Cell;

    fn table(fields: &[&str], lines: &[&[u8]]) -> Table {
        let format = Format::new("combined").unwrap();
        let mut builder = TableBuilder::from_reader(Reader::new(&format, fields).unwrap(), None);
        for line in lines {
            builder.push(line);
        }
        builder.finish()
    }

    #[test]
    fn rejects_have_line_and_byte() {
        let table = table(&["url"], &[b"x", b""]);
        assert_eq!(table.rows, 0);
        let positions: Vec<_> =
            table.rejects.iter().map(|reject| (reject.line, reject.byte)).collect();
        assert_eq!(positions, [(0, 1), (1, 0)]);
    }

    #[test]
    fn a_column_has_a_value_and_a_validity_bit_for_each_line() {
        let line = |status: &str| {
            format!(r#"h - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" {status} 5"#)
        };
        let lines: Vec<_> = (0..10).map(|at| line(if at % 3 == 0 { "-" } else { "404" })).collect();
        let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
        let table = table(&["status", "url"], &lines);
        let [status, url] = &table.batches[0].columns[..] else { panic!() };
        assert_eq!((status.valid.len, status.valid.zeros, url.valid.zeros), (10, 4, 0));
        for at in 0..10 {
            assert_eq!(int(status, at), (at % 3 != 0).then_some(404));
            assert_eq!(text_of(url, at), Some(&b"/a"[..]));
        }
    }

    #[test]
    fn text_is_utf8_value_by_value() {
        let line = |agent: &[u8]| {
            let head = br#"h - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" ""#;
            [head, agent, &b"\""[..]].concat()
        };
        let agents: [&[u8]; 8] =
            [b"a", b"\xc3", b"\xa9", "\u{e9}".as_bytes(), b"", b"x\xff\xffy", b"\xf0\x9f", b"z"];
        // All pairs and all values together, so that characters also span values.
        let pairs = agents.iter().flat_map(|&one| agents.iter().map(move |&two| vec![one, two]));
        for some in pairs.chain([agents.to_vec()]) {
            let lines: Vec<_> = some.iter().map(|agent| line(agent)).collect();
            let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();
            let table = table(&["agent"], &lines);
            for (at, agent) in some.iter().enumerate() {
                let expected = (!agent.is_empty()).then(|| lossy(agent).into_owned().into_bytes());
                let found = text_of(&table.batches[0].columns[0], at);
                assert_eq!(found.map(<[u8]>::to_vec), expected);
            }
        }
    }

    #[test]
    fn validity_bits_are_those_that_were_pushed() {
        for len in 0..40 {
            for first_zero in 0..=len {
                let pushed: Vec<_> = (0..len).map(|at| at < first_zero || at % 3 == 1).collect();
                let mut bits = Bits::default();
                for &bit in &pushed {
                    bits.push(bit);
                }
                let zeros = pushed.iter().filter(|&&bit| !bit).count();
                assert_eq!((bits.len, bits.zeros), (len, zeros));
                let found: Vec<_> = (0..len).map(|at| bits.get(at)).collect();
                assert_eq!(found, pushed);
                // The bits after the last one are zero, as readers of whole bytes may require.
                let ones: u32 = bits.bytes.iter().map(|byte| byte.count_ones()).sum();
                assert_eq!(ones as usize, if zeros == 0 { 0 } else { len - zeros });
            }
        }
    }

    #[test]
    fn a_table_has_the_columns_of_every_header_in_its_text() {
        let format = Format::new("w3c").unwrap();
        let text = b"#Fields: c-ip sc-status\n1.2.3.4 200\n#Fields: sc-status x-own\n404 b\n";
        let mut builder = TableBuilder::new(&format, text, None, None).unwrap();
        Chunk::Lines(text).for_each(|line| builder.push(line)).unwrap();
        let table = builder.finish();
        assert_eq!((table.fields.join(" "), table.headers), ("host status x-own".to_owned(), 2));
        let [host, status, own] = &table.batches[0].columns[..] else { panic!() };
        assert_eq!([text_of(host, 0), text_of(host, 1)], [Some(&b"1.2.3.4"[..]), None]);
        assert_eq!([int(status, 0), int(status, 1)], [Some(200), Some(404)]);
        assert_eq!([text_of(own, 0), text_of(own, 1)], [None, Some(&b"b"[..])]);
        let unknown =
            TableBuilder::new(&format, text, Some(&["nothing".into()]), None).unwrap_err();
        assert_eq!(unknown.name, "nothing");
    }

    #[test]
    fn a_batch_ends_before_its_text_is_too_long() {
        let format = Format::new("combined").unwrap();
        let reader = Reader::new(&format, &["host", "status"]).unwrap();
        let mut builder =
            TableBuilder { max_bytes: 160, ..TableBuilder::from_reader(reader, None) };
        let line = |host: usize| {
            format!(r#"{host} - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x""#)
        };
        for host in 0..5 {
            builder.push(line(host).as_bytes());
            builder.push(b"no log line");
        }
        let table = builder.finish();
        let lens: Vec<_> = table.batches.iter().map(|batch| batch.len).collect();
        assert_eq!(
            (line(0).len(), lens, table.rows, table.rejects.len()),
            (66, vec![2, 2, 1], 5, 5)
        );
        let hosts = table.batches.iter().flat_map(|batch| {
            (0..batch.len).filter_map(|at| text_of(&batch.columns[0], at).map(<[u8]>::to_vec))
        });
        assert!(hosts.eq((0..5).map(|host| host.to_string().into_bytes())));
    }

    #[test]
    fn a_chunk_is_counted_and_its_rejects_are_written() {
        let format = Format::new("combined").unwrap();
        let reader = Reader::new(&format, &["status"]).unwrap();
        let log = "a\nh - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5\nb";
        let mut rejects = Rejects { prefix: b"log\t".into(), before: 7, ..Rejects::default() };
        let (table, lines) =
            parse_chunk(reader, None, false, Chunk::Lines(log.as_bytes()), Some(&mut rejects))
                .unwrap();
        assert_eq!((table.rows, lines.fed, lines.counted), (1, 3, 1));
        assert_eq!(lines.rejected(Reason::NoMatch), 2);
        let expected = "log\t8\t1\tno-match\ta\nlog\t10\t1\tno-match\tb\n";
        assert_eq!(rejects.out, expected.as_bytes());
    }

    /// Rows that are in line with the lines, of which the fourth is missing.
    fn in_line(fields: &[&str], lines: &[&[u8]], max_bytes: usize, keep: bool) -> Table {
        let format = Format::new("combined").unwrap();
        let names: Vec<_> = fields.iter().map(|&field| field.to_owned()).collect();
        let (reasons, bad_utf8) = (Some("reason".to_owned()), Some("bad".to_owned()));
        let how = InLine { keep_rejected: keep, reasons, bad_utf8 };
        let builder = TableBuilder::in_line(&format, &names, None, how).unwrap();
        let mut builder = TableBuilder { max_bytes, ..builder };
        for (number, line) in lines.iter().enumerate() {
            if number == 3 { builder.push_missing() } else { builder.push(line) }
        }
        builder.finish()
    }

    #[test]
    fn rows_are_in_line_with_lines_whatever_the_batches_and_blocks() {
        let line = |host: usize| {
            let agent: &[u8] = if host % 7 == 5 { b"\xff" } else { b"\xc3\xa9" };
            let head =
                format!(r#"{host} - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" ""#);
            [head.as_bytes(), agent, b"\""].concat()
        };
        let is_log = |number: usize| number % 3 != 1 && number != 3;
        let long = vec![b'x'; super::super::lines::MAX_LINE_BYTES + 1];
        let text = |number: usize| match number {
            76 => long.clone(),
            _ if is_log(number) => line(number),
            _ => b"no log line".to_vec(),
        };
        let lines: Vec<_> = (0..200).map(text).collect();
        let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();
        // The first fields are too few to defer them.
        for fields in [&["host", "agent"][..], &["host", "agent", "size", "url", "status", "time"]]
        {
            for (max_bytes, keep) in [(8, true), (160, true), (700, false), (1 << 20, true)] {
                let table = in_line(fields, &lines, max_bytes, keep);
                assert_eq!(table.fields, [fields, &["reason", "bad"]].concat());
                let expected = (0..lines.len()).filter(|&number| keep || is_log(number));
                let rows = table.batches.iter().flat_map(|batch| {
                    assert!(batch.columns.iter().all(|column| column.valid.len == batch.len));
                    (0..batch.len).map(|at| batch.columns.iter().map(|c| c.cell(at)).collect())
                });
                let rows: Vec<Vec<Cell>> = rows.collect();
                assert_eq!((table.rows, rows.len()), (rows.len(), expected.clone().count()));
                for (row, number) in rows.into_iter().zip(expected) {
                    let [host, agent, .., reason, bad] = &row[..] else { panic!() };
                    let text = |text: &str| Cell::Text(text.as_bytes().into());
                    let is_bad = number % 7 == 5;
                    let expected = match number {
                        3 => [Cell::Null, Cell::Null, Cell::Null, Cell::Flag(false)],
                        76 => [Cell::Null, Cell::Null, text("too-long"), Cell::Flag(false)],
                        _ if is_log(number) => {
                            let agent = text(if is_bad { "\u{fffd}" } else { "\u{e9}" });
                            [text(&number.to_string()), agent, Cell::Null, Cell::Flag(is_bad)]
                        }
                        _ => [Cell::Null, Cell::Null, text("no-match"), Cell::Flag(false)],
                    };
                    let found = [host, agent, reason, bad].map(Clone::clone);
                    assert_eq!(found, expected, "{fields:?}, {max_bytes}, {number}");
                    let others = &row[2..row.len() - 2];
                    let is_there = is_log(number);
                    assert!(others.iter().all(|cell| (*cell != Cell::Null) == is_there));
                }
                assert_eq!(table.kept.is_none(), keep);
                if let Some(Rows { columns, len }) = &table.kept {
                    let kept = (0..*len).map(|number| columns[0].cell(number));
                    assert!(kept.eq((0..lines.len()).map(|number| Cell::Flag(is_log(number)))));
                }
                // Only the first one is explained.
                let rejects: Vec<_> =
                    table.rejects.iter().map(|one| (one.line, one.byte)).collect();
                assert_eq!(rejects, [(1, 11)]);
            }
        }
    }

    #[test]
    fn bits_are_set_one_by_one() {
        let mut bits = Bits::zeros(11);
        for place in [0, 7, 8, 10, 7, 11] {
            bits.set(place);
        }
        assert_eq!((bits.bytes, bits.len, bits.zeros), (vec![0x81, 0x05], 11, 7));
    }

    fn int(column: &Column, at: usize) -> Option<i64> {
        let Values::Int(values) = &column.values else { panic!() };
        column.valid.get(at).then(|| values[at])
    }

    fn text_of(column: &Column, at: usize) -> Option<&[u8]> {
        let Values::Text { offsets, data } = &column.values else { panic!() };
        let offset = |at: usize| usize::try_from(offsets[at]).unwrap();
        column.valid.get(at).then(|| &data[offset(at)..offset(at + 1)])
    }
}
