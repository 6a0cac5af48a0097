//! Columns of values in the layout of Arrow (<https://arrow.apache.org/docs/format/Columnar.html>),
//! so that they can be exported without a copy.

use super::cell::Cell;

/// The values of one field, one for each accepted line.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Which of the values are not null.
    pub valid: Bits,
    /// The values; arbitrary where they are null.
    pub values: Values,
}

/// Values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// UTF-8 text.
    Text {
        /// The start of each text, and the end of the last one.
        offsets: Vec<i32>,
        /// All texts, concatenated.
        data: Vec<u8>,
    },
    /// Integers.
    Int(Vec<i64>),
    /// Floats.
    Float(Vec<f64>),
    /// Microseconds since the epoch.
    Time(Vec<i64>),
    /// Bytes.
    Bytes {
        /// The start of each value, and the end of the last one.
        offsets: Vec<i32>,
        /// All values, concatenated.
        data: Vec<u8>,
    },
    /// Integers, some of more than 64 bits.
    Large(Vec<i128>),
    /// True or false.
    Flags(Bits),
    /// JSON texts, of values that differ in type.
    Json {
        /// The start of each text, and the end of the last one.
        offsets: Vec<i32>,
        /// All texts, concatenated.
        data: Vec<u8>,
    },
    /// Only nulls, this many.
    Nulls(usize),
    /// Lists of values with their counts.
    Counted {
        /// The start of each list, and the end of the last one.
        offsets: Vec<i32>,
        /// The values of all lists.
        values: Box<Column>,
        /// The count of each value.
        counts: Vec<u64>,
    },
}

impl Column {
    /// Returns the value at this place.
    pub fn cell(&self, place: usize) -> Cell {
        if !self.valid.get(place) {
            return Cell::Null;
        }
        let span = |offsets: &[i32]| {
            let at = |place: usize| {
                offsets.get(place).map_or(0, |&offset| usize::try_from(offset).unwrap_or(0))
            };
            at(place)..at(place + 1)
        };
        let cell = match &self.values {
            Values::Text { offsets, data }
            | Values::Bytes { offsets, data }
            | Values::Json { offsets, data } => {
                data.get(span(offsets)).map(|text| Cell::Text(text.into()))
            }
            Values::Int(values) => values.get(place).map(|&value| Cell::Int(value.into())),
            Values::Float(values) => values.get(place).map(|&value| Cell::Float(value)),
            Values::Time(values) => values.get(place).map(|&value| Cell::Time(value)),
            Values::Large(values) => values.get(place).map(|&value| Cell::Int(value)),
            Values::Flags(flags) => Some(Cell::Flag(flags.get(place))),
            Values::Nulls(_) => None,
            Values::Counted { offsets, values, counts } => {
                let list = span(offsets).map(|at| (values.cell(at), counts[at]));
                Some(Cell::List(list.collect()))
            }
        };
        cell.unwrap_or(Cell::Null)
    }
}

/// A bitmap, lowest bit of each byte first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// The bits, eight per byte; empty as long as all of them are one.
    pub bytes: Vec<u8>,
    /// The number of bits.
    pub len: usize,
    /// The number of zero bits.
    pub zeros: usize,
}

impl Bits {
    /// Creates this many zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        Self { bytes: vec![0; len.div_ceil(8)], len, zeros: len }
    }

    /// Makes the bit at this place a one.
    pub(crate) fn set(&mut self, place: usize) {
        if place < self.len
            && !self.get(place)
            && let Some(byte) = self.bytes.get_mut(place / 8)
        {
            *byte |= 1 << (place % 8);
            self.zeros -= 1;
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, bit: bool) {
        // Most columns have no nulls and need no bits.
        if !bit || self.zeros > 0 {
            self.push_bit(bit);
        }
        self.len += 1;
    }

    /// Appends up to 64 bits, lowest first.
    pub(crate) fn extend(&mut self, bits: u64, len: usize) {
        if self.zeros == 0 && bits.trailing_ones() as usize >= len {
            self.len += len;
        } else {
            (0..len).for_each(|place| self.push(bits >> place & 1 == 1));
        }
    }

    fn push_bit(&mut self, bit: bool) {
        if self.zeros == 0 {
            self.bytes.resize(self.len.div_ceil(8), 0xff);
            if let Some(last) = self.bytes.last_mut() {
                *last >>= (8 - self.len % 8) % 8;
            }
        }
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (self.len % 8);
        }
        self.zeros += usize::from(!bit);
    }

    /// Returns whether the bit at this place is set.
    pub fn get(&self, place: usize) -> bool {
        let bit = |byte: &u8| byte >> (place % 8) & 1 == 1;
        place < self.len && (self.zeros == 0 || self.bytes.get(place / 8).is_some_and(bit))
    }
}

/// A table with column names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRows {
    /// The names of its columns.
    pub names: Vec<String>,
    /// Its columns.
    pub rows: Rows,
    /// Its metadata, as names and values.
    pub metadata: Vec<(String, String)>,
}

/// A batch of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// One column for each requested field.
    pub columns: Vec<Column>,
    /// The number of rows.
    pub len: usize,
}
