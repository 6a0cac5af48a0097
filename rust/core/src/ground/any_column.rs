//! Columns of values that may differ in type.

use super::columns::{Bits, Column, Values};
use super::{Cell, Value, lossy, write_iso};

/// Integers up to this are floats without a change.
const MAX_EXACT: i128 = 1 << 53;

/// The most digits of Arrow's decimal type.
const MAX_LARGE: i128 = 10_i128.pow(38);

/// The values of a column, of which rows without a value take no memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnyColumn {
    rows: Vec<u32>,
    ends: Vec<usize>,
    tags: Vec<Tag>,
    data: Vec<u8>,
}

/// What a value is, and its text: that of an integer or a float is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Text,
    Int,
    Float,
    Flag,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyType {
    Nulls,
    Text,
    /// Integers that floats keep.
    SmallInt,
    Int,
    Large,
    Float,
    Flags,
    Json,
}

impl AnyColumn {
    /// Sets the value of a row, which is not before that of the last call. A later value of the
    /// same row counts.
    pub(crate) fn set(&mut self, row: usize, value: Value<'_>) {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        let start = self.data.len();
        let tag = match value {
            Value::Null => return,
            Value::Text(text) => {
                self.data.extend_from_slice(text);
                Tag::Text
            }
            Value::Int(number) => {
                self.data.extend_from_slice(number.to_string().as_bytes());
                Tag::Int
            }
            Value::Large(number) => {
                self.data.extend_from_slice(number.to_string().as_bytes());
                Tag::Int
            }
            // The shortest text that is read as the same number.
            Value::Float(number) => {
                self.data.extend_from_slice(format!("{number:?}").as_bytes());
                Tag::Float
            }
            Value::Time(time) => {
                write_iso(time, &mut self.data);
                Tag::Text
            }
            Value::Json(text) => {
                self.data.extend_from_slice(text);
                match large_int(text) {
                    Some(_) => Tag::Int,
                    None if matches!(text, b"true" | b"false") => Tag::Flag,
                    None => Tag::Text,
                }
            }
        };
        debug_assert!(self.rows.last().is_none_or(|&last| last < row), "row {row} after {start}");
        self.rows.push(row);
        self.ends.push(self.data.len());
        self.tags.push(tag);
    }

    /// Sets the value of a row to a cell.
    pub(crate) fn set_cell(&mut self, row: usize, cell: &Cell) {
        match cell {
            Cell::Null | Cell::List(_) => {}
            Cell::Text(text) => self.set(row, Value::Text(text)),
            Cell::Float(number) if number.is_finite() => self.set(row, Value::Float(*number)),
            Cell::Float(number) => self.set(row, Value::Text(number.to_string().as_bytes())),
            Cell::Time(time) => self.set(row, Value::Time(*time)),
            Cell::Flag(flag) => self.set(row, Value::Json(if *flag { b"true" } else { b"false" })),
            Cell::Int(number) => self.set(row, Value::Json(number.to_string().as_bytes())),
        }
    }

    fn values(&self) -> impl Iterator<Item = (usize, Tag, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(&self.ends);
        let values = self.rows.iter().zip(&self.tags).zip(spans);
        values.map(|((&row, &tag), (start, &end))| (row as usize, tag, &self.data[start..end]))
    }

    /// The rows with text that is not UTF-8.
    pub(crate) fn rows_of_bad_text(&self) -> impl Iterator<Item = usize> {
        let values = (!self.data.is_ascii()).then(|| self.values()).into_iter().flatten();
        values.filter(|(.., text)| std::str::from_utf8(text).is_err()).map(|(row, ..)| row)
    }

    /// The type that holds all values without a change; `Json` if only text does.
    pub(crate) fn common_type(&self) -> AnyType {
        self.values().map(|(_, tag, text)| type_of(tag, text)).fold(AnyType::Nulls, AnyType::with)
    }

    /// The column of this many rows, of a type that holds all values.
    pub(crate) fn finish(self, len: usize, kind: AnyType) -> Column {
        let mut valid = Bits::default();
        let mut next = self.values().peekable();
        let mut values = match kind {
            AnyType::Nulls => Values::Nulls(len),
            AnyType::SmallInt | AnyType::Int => Values::Int(Vec::with_capacity(len)),
            AnyType::Large => Values::Large(Vec::with_capacity(len)),
            AnyType::Float => Values::Float(Vec::with_capacity(len)),
            AnyType::Flags => Values::Flags(Bits::default()),
            AnyType::Text => Values::Text { offsets: vec![0], data: Vec::new() },
            AnyType::Json => Values::Json { offsets: vec![0], data: Vec::new() },
        };
        for row in 0..len {
            let found = next.next_if(|&(at, ..)| at == row).map(|(_, tag, text)| (tag, text));
            valid.push(found.is_some());
            push(&mut values, found);
        }
        Column { valid, values }
    }
}

impl AnyType {
    /// The type that also holds the values of another type.
    pub(crate) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nulls, kind) | (kind, Self::Nulls) => kind,
            (one, other) if one == other => one,
            (Self::SmallInt, kind @ (Self::Int | Self::Large | Self::Float))
            | (kind @ (Self::Int | Self::Large | Self::Float), Self::SmallInt) => kind,
            (Self::Int, Self::Large) | (Self::Large, Self::Int) => Self::Large,
            _ => Self::Json,
        }
    }
}

fn type_of(tag: Tag, text: &[u8]) -> AnyType {
    match tag {
        Tag::Text => AnyType::Text,
        Tag::Flag => AnyType::Flags,
        Tag::Float => AnyType::Float,
        Tag::Int => match large_int(text).unwrap_or_default() {
            number if (-MAX_EXACT..=MAX_EXACT).contains(&number) => AnyType::SmallInt,
            number if i64::try_from(number).is_ok() => AnyType::Int,
            number if (-MAX_LARGE + 1..MAX_LARGE).contains(&number) => AnyType::Large,
            _ => AnyType::Json,
        },
    }
}

/// Appends a value, or a null.
fn push(values: &mut Values, found: Option<(Tag, &[u8])>) {
    let text = found.map_or(&b""[..], |(_, text)| text);
    let end = |data: &Vec<u8>| i32::try_from(data.len()).unwrap_or(i32::MAX);
    match values {
        Values::Int(all) => all.push(parsed(text)),
        Values::Large(all) => all.push(parsed(text)),
        Values::Float(all) => all.push(parsed(text)),
        Values::Flags(all) => all.push(text == b"true"),
        Values::Text { offsets, data } => {
            data.extend_from_slice(lossy(text).as_bytes());
            offsets.push(end(data));
        }
        Values::Json { offsets, data } => {
            match found {
                Some((Tag::Text, text)) => write_json_string(&lossy(text), data),
                _ => data.extend_from_slice(text),
            }
            offsets.push(end(data));
        }
        // No column is one of these.
        Values::Time(_) | Values::Bytes { .. } | Values::Counted { .. } | Values::Nulls(_) => {}
    }
}

fn parsed<T: std::str::FromStr + Default>(text: &[u8]) -> T {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The integer that a text is.
pub(crate) fn large_int(text: &[u8]) -> Option<i128> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_int = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_int.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

fn write_json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\0'..='\x1f' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[Value<'_>]) -> Column {
        let mut column = AnyColumn::default();
        values.iter().enumerate().for_each(|(row, &value)| column.set(row, value));
        let kind = column.common_type();
        column.finish(values.len(), kind)
    }

    fn cells(values: &[Value<'_>]) -> (Values, Vec<Cell>) {
        let column = column(values);
        let cells = (0..values.len()).map(|row| column.cell(row)).collect();
        (column.values, cells)
    }

    #[test]
    fn a_column_has_the_narrowest_type_that_keeps_all_values() {
        let (int, float, text) = (Value::Int(5), Value::Float(0.5), Value::Text(b"x\"\n"));
        let (flag, large) = (Value::Json(b"true"), Value::Json(b"12345678901234567890"));
        assert!(matches!(column(&[Value::Null]).values, Values::Nulls(1)));
        assert!(matches!(column(&[int, Value::Null]).values, Values::Int(_)));
        assert!(matches!(column(&[int, float]).values, Values::Float(_)));
        assert!(matches!(column(&[int, large]).values, Values::Large(_)));
        assert!(matches!(column(&[flag, Value::Null]).values, Values::Flags(_)));
        assert!(matches!(column(&[text, Value::Json(b"{}")]).values, Values::Text { .. }));
        let wide = Value::Int(i64::MAX);
        let json = |text: &str| Cell::Text(text.as_bytes().into());
        let (values, found) = cells(&[wide, float, flag, text, Value::Null]);
        assert!(matches!(values, Values::Json { .. }));
        let texts = ["9223372036854775807", "0.5", "true", r#""x\"\u000a""#].map(json);
        assert_eq!(found, [&texts[..], &[Cell::Null]].concat());
    }

    #[test]
    fn the_values_of_a_column_are_unchanged() {
        let (_, found) = cells(&[Value::Int(-7), Value::Null, Value::Int(7)]);
        assert_eq!(found, [Cell::Int(-7), Cell::Null, Cell::Int(7)]);
        let (_, found) = cells(&[Value::Json(b"false"), Value::Json(b"true")]);
        assert_eq!(found, [Cell::Flag(false), Cell::Flag(true)]);
        let (_, found) = cells(&[Value::Float(1e300), Value::Int(1)]);
        assert_eq!(found, [Cell::Float(1e300), Cell::Float(1.0)]);
    }
}
