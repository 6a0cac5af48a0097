//! Values as columns, laid out as Arrow lays them out
//! (<https://arrow.apache.org/docs/format/Columnar.html>), so that they leave without being copied.

use super::cell::Cell;

/// The values of one field, a place for each accepted line.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Which of them there are.
    pub valid: Bits,
    /// What they are; where there is none, anything.
    pub values: Values,
}

/// Values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// UTF-8 text.
    Text {
        /// Where each begins, and where the last one ends.
        offsets: Vec<i32>,
        /// All of them in a row.
        data: Vec<u8>,
    },
    /// Whole numbers.
    Int(Vec<i64>),
    /// Numbers.
    Float(Vec<f64>),
    /// Microseconds since the epoch.
    Time(Vec<i64>),
    /// Bytes.
    Bytes {
        /// Where each begins, and where the last one ends.
        offsets: Vec<i32>,
        /// All of them in a row.
        data: Vec<u8>,
    },
    /// Whole numbers of which some need more than 64 bits.
    Large(Vec<i128>),
    /// Lists of values, each with how often it came.
    Counted {
        /// Where each list begins, and where the last one ends.
        offsets: Vec<i32>,
        /// The values of all of them.
        values: Box<Column>,
        /// How often each came.
        counts: Vec<u64>,
    },
}

impl Column {
    /// The value at this place.
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
            Values::Text { offsets, data } | Values::Bytes { offsets, data } => {
                data.get(span(offsets)).map(|text| Cell::Text(text.into()))
            }
            Values::Int(values) => values.get(place).map(|&value| Cell::Int(value.into())),
            Values::Float(values) => values.get(place).map(|&value| Cell::Float(value)),
            Values::Time(values) => values.get(place).map(|&value| Cell::Time(value)),
            Values::Large(values) => values.get(place).map(|&value| Cell::Int(value)),
            Values::Counted { offsets, values, counts } => {
                let list = span(offsets).map(|at| (values.cell(at), counts[at]));
                Some(Cell::List(list.collect()))
            }
        };
        cell.unwrap_or(Cell::Null)
    }
}

/// A bit for each value, the lowest of a byte first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// The bits, eight in a byte; none as long as all of them are one.
    pub bytes: Vec<u8>,
    /// How many bits there are.
    pub len: usize,
    /// How many of them are zero.
    pub zeros: usize,
}

impl Bits {
    #[inline]
    pub(crate) fn push(&mut self, bit: bool) {
        // Most columns have every value, and need no bits to say so.
        if !bit || self.zeros > 0 {
            self.push_bit(bit);
        }
        self.len += 1;
    }

    /// Up to 64 of them, the first one lowest.
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

    /// Whether the value at this place is there.
    pub fn get(&self, place: usize) -> bool {
        let bit = |byte: &u8| byte >> (place % 8) & 1 == 1;
        place < self.len && (self.zeros == 0 || self.bytes.get(place / 8).is_some_and(bit))
    }
}

/// A table by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRows {
    /// The names of its columns.
    pub names: Vec<String>,
    /// What they hold.
    pub rows: Rows,
    /// What there is to say of all of it, by names.
    pub metadata: Vec<(String, String)>,
}

/// Some of the accepted lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// A column for each field that was asked for.
    pub columns: Vec<Column>,
    /// How many lines these are.
    pub len: usize,
}
