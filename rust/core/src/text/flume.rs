//! Reads the events of one Flume call, in place.
//!
//! `appendBatch` carries an Avro `array<AvroFlumeEvent>`, an event being
//! `{map<string> headers; bytes body}` (flume-ng-sdk, `flume.avdl`). Arrays and maps come in
//! blocks: a count and that many items, or a negative count, the size of the block in bytes and
//! the items; a count of zero ends them (Avro specification, "Arrays"). Java writes one block
//! with a positive count; all forms are read. Nothing is copied or allocated, so a count that
//! claims 2⁶³ events costs nothing.

use std::fmt;
use std::ops::Range;

/// The bytes of a call are malformed: how, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchError {
    kind: Kind,
    byte: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Truncated,
    LongVarint,
    NegativeLength(i64),
    BlockSize { declared: i64, found: usize },
    BlockCount(i64),
    TooMany(u64),
    Trailing(usize),
}

impl BatchError {
    /// The offset of the offending byte in the parameter.
    pub fn byte(self) -> usize {
        self.byte
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let byte = self.byte;
        match self.kind {
            Kind::Truncated => write!(f, "events are cut off at byte {byte}"),
            Kind::LongVarint => {
                write!(
                    f,
                    "expected an integer of at most 64 bits, found a longer one at byte {byte}"
                )
            }
            Kind::NegativeLength(n) => write!(f, "expected a length, found {n} at byte {byte}"),
            Kind::BlockSize { declared, found } => {
                write!(f, "expected a block of {declared} bytes, found {found} at byte {byte}")
            }
            Kind::BlockCount(n) => {
                write!(f, "expected a number of items, found {n} at byte {byte}")
            }
            Kind::TooMany(n) => {
                let (most, n) = (grouped(MAX_EVENTS), grouped(n));
                write!(
                    f,
                    "expected at most {most} events in a batch, found {n} at byte {byte}; make the \
                     agent's batch-size smaller"
                )
            }
            Kind::Trailing(n) => {
                write!(f, "expected the end of the events, found {n} more bytes at byte {byte}")
            }
        }
    }
}

impl std::error::Error for BatchError {}

/// Returns a number with separators between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The largest number of events in a batch. An empty event has two bytes, so a frame could hold
/// millions of them, and each costs as much as a short line.
const MAX_EVENTS: u64 = 1_000_000;

/// The header in which Flume's timestamp interceptor writes milliseconds since the epoch.
const TIMESTAMP: &[u8] = b"timestamp";

/// The parts of an event that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) body: &'a [u8],
    /// The text of the `timestamp` header.
    pub(crate) timestamp: Option<&'a [u8]>,
    /// The text of the header that was asked for.
    pub(crate) header: Option<&'a [u8]>,
}

/// Calls `event` for every event of an `appendBatch` parameter, in order.
pub(crate) fn for_each_event<'a>(
    bytes: &'a [u8],
    event: impl FnMut(Event<'a>),
) -> Result<(), BatchError> {
    for_each_event_with(bytes, |_| false, event)
}

/// Like [`for_each_event`], also with the header whose name is accepted.
#[inline(always)]
#[expect(clippy::inline_always, reason = "without a header the comparison vanishes")]
pub(crate) fn for_each_event_with<'a>(
    bytes: &'a [u8],
    is_header: impl Fn(&[u8]) -> bool + Copy,
    mut event: impl FnMut(Event<'a>),
) -> Result<(), BatchError> {
    let mut walk = Walk { bytes, at: 0 };
    walk.blocks(MAX_EVENTS, |walk| {
        event(walk.event(is_header)?);
        Ok(())
    })?;
    walk.end()
}

/// Reads the single event of an `append` parameter.
pub(crate) fn event(
    bytes: &[u8],
    is_header: impl Fn(&[u8]) -> bool,
) -> Result<Event<'_>, BatchError> {
    let mut walk = Walk { bytes, at: 0 };
    let event = walk.event(is_header)?;
    walk.end()?;
    Ok(event)
}

/// The events of a call with all their headers. Sizes of blocks and what follows the last event are
/// not checked.
pub(crate) struct Events<'a> {
    walk: Walk<'a>,
    /// The events of the current block that are still to come.
    left: u64,
    is_one: bool,
    /// The headers and the body of the current event.
    pub(super) headers: Vec<(&'a [u8], &'a [u8])>,
    pub(super) body: &'a [u8],
    is_plain: bool,
}

impl<'a> Events<'a> {
    /// Reads the parameter of `appendBatch`.
    pub(crate) fn of_batch(bytes: &'a [u8]) -> Self {
        let walk = Walk { bytes, at: 0 };
        Self { walk, left: 0, is_one: false, headers: Vec::new(), body: b"", is_plain: true }
    }

    /// Reads the parameter of `append`.
    pub(crate) fn of_one(bytes: &'a [u8]) -> Self {
        Self { left: 1, is_one: true, ..Self::of_batch(bytes) }
    }

    /// Reads the next event, and returns the range of its bytes.
    pub(crate) fn next(&mut self) -> Result<Option<Range<usize>>, BatchError> {
        if self.left == 0 {
            self.left = if self.is_one { 0 } else { self.walk.count()? };
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let start = self.walk.at;
        self.headers.clear();
        let mut blocks = 0;
        loop {
            let first = self.walk.at;
            let count = self.walk.count()?;
            if count == 0 {
                break;
            }
            blocks += 1;
            // A negative count is odd: a zigzag.
            let is_sized = self.walk.bytes[first] & 1 == 1;
            self.is_plain = blocks == 1 && !is_sized;
            for _ in 0..count {
                let name = self.walk.sized()?;
                self.headers.push((name, self.walk.sized()?));
            }
        }
        self.is_plain = (blocks == 0 || self.is_plain)
            && self.headers.is_sorted_by(|one, next| one.0 <= next.0);
        self.body = self.walk.sized()?;
        Ok(Some(start..self.walk.at))
    }

    /// Whether the headers of the current event are one block in the order of their names.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn event(&mut self, is_header: impl Fn(&[u8]) -> bool) -> Result<Event<'a>, BatchError> {
        let (mut timestamp, mut header) = (None, None);
        self.blocks(u64::MAX, |walk| {
            let name = walk.sized()?;
            let value = walk.sized()?;
            // The last one of two headers with the same name counts, as in Java's map.
            if name == TIMESTAMP {
                timestamp = Some(value);
            }
            if is_header(name) {
                header = Some(value);
            }
            Ok(())
        })?;
        Ok(Event { body: self.sized()?, timestamp, header })
    }

    /// Reads the blocks of an array or a map of at most `most` items, including the zero count that
    /// ends them.
    fn blocks(
        &mut self,
        most: u64,
        mut item: impl FnMut(&mut Self) -> Result<(), BatchError>,
    ) -> Result<(), BatchError> {
        let mut items_so_far = 0_u64;
        loop {
            let start = self.at;
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            let declared = if count < 0 { Some(self.long()?) } else { None };
            let items = self.at;
            // An item has at least two bytes, so a wrong count runs into the end of the bytes;
            // `i64::MIN` has no positive counterpart, so it is no count.
            if count == i64::MIN {
                return Err(Self::error(Kind::BlockCount(count), start));
            }
            items_so_far = items_so_far.saturating_add(count.unsigned_abs());
            if items_so_far > most {
                return Err(Self::error(Kind::TooMany(items_so_far), start));
            }
            for _ in 0..count.unsigned_abs() {
                item(self)?;
            }
            let found = self.at - items;
            match declared {
                Some(declared) if u64::try_from(declared) != Ok(found as u64) => {
                    return Err(Self::error(Kind::BlockSize { declared, found }, start));
                }
                _ => {}
            }
        }
    }

    /// Reads the number of items of a block, zero at the end.
    fn count(&mut self) -> Result<u64, BatchError> {
        let start = self.at;
        let count = self.long()?;
        if count == i64::MIN {
            return Err(Self::error(Kind::BlockCount(count), start));
        }
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }

    /// Reads a string or bytes: a length and that many bytes.
    fn sized(&mut self) -> Result<&'a [u8], BatchError> {
        let start = self.at;
        let length = self.long()?;
        let Ok(length) = usize::try_from(length) else {
            return Err(Self::error(Kind::NegativeLength(length), start));
        };
        let rest = &self.bytes[self.at..];
        if length > rest.len() {
            return Err(Self::error(Kind::Truncated, self.bytes.len()));
        }
        self.at += length;
        Ok(&rest[..length])
    }

    /// Reads a zig-zag varint of at most ten bytes.
    fn long(&mut self) -> Result<i64, BatchError> {
        let start = self.at;
        let mut value = 0_u64;
        let mut shift = 0;
        loop {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(Self::error(Kind::Truncated, self.at));
            };
            self.at += 1;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                return Err(Self::error(Kind::LongVarint, start));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
            shift += 7;
        }
    }

    fn end(&self) -> Result<(), BatchError> {
        let rest = self.bytes.len() - self.at;
        if rest == 0 { Ok(()) } else { Err(Self::error(Kind::Trailing(rest), self.at)) }
    }

    fn error(kind: Kind, byte: usize) -> BatchError {
        BatchError { kind, byte }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
        let mut seen = Vec::new();
        for_each_event(bytes, |event| seen.push(event.body)).map_err(|error| error.to_string())?;
        Ok(seen)
    }

    #[test]
    fn the_timestamp_is_the_last_header_of_that_name() {
        let read = |bytes| event(bytes, |_| false).unwrap().timestamp;
        assert_eq!(read(b"\x02\x12timestamp\x0415\x00\x00"), Some(&b"15"[..]));
        assert_eq!(read(b"\x04\x12timestamp\x0415\x12timestamp\x0416\x00\x00"), Some(&b"16"[..]));
        assert_eq!(read(b"\x02\x12Timestamp\x0415\x00\x00"), None);
        assert_eq!(read(b"\x00\x00"), None);
    }

    #[test]
    fn two_events_with_a_header_as_java_writes_them() {
        let event = b"\x02\x12timestamp\x1a1500000000000\x00\x0cline00";
        let batch = [b"\x04", &event[..], event, b"\x00"].concat();
        assert_eq!(bodies(&batch).unwrap(), [b"line00", b"line00"]);
    }

    #[test]
    fn an_event_without_headers_and_body_is_an_empty_line() {
        assert_eq!(bodies(b"\x02\x00\x00\x00").unwrap(), [b""]);
    }

    #[test]
    fn several_blocks_and_negative_counts_are_read() {
        // Blocks of one event, of one event with its size (3), and the end.
        assert_eq!(bodies(b"\x02\x00\x02a\x01\x06\x00\x02b\x00").unwrap(), [b"a", b"b"]);
    }

    #[test]
    fn a_single_event_is_a_record_without_a_count() {
        assert_eq!(event(b"\x00\x0csingle", |_| false).unwrap().body, b"single");
    }

    #[test]
    fn a_batch_of_too_many_events_is_refused_at_the_block_that_exceeds_the_limit() {
        let long = |mut n: u64| {
            let mut bytes = Vec::new();
            while n >= 0x80 {
                bytes.push(u8::try_from(n & 0x7f).unwrap() | 0x80);
                n >>= 7;
            }
            bytes.push(u8::try_from(n).unwrap());
            bytes
        };
        // Counts, zig-zag: a negative one is followed by the size of its block.
        let block = |count: usize, sized: bool| {
            let count64 = count as u64;
            let head = if sized {
                [long(2 * count64 - 1), long(4 * count64)].concat()
            } else {
                long(2 * count64)
            };
            [head, vec![0; 2 * count]].concat()
        };
        let most = usize::try_from(MAX_EVENTS).unwrap();
        for (blocks, expected) in [
            (vec![(most, false)], Ok(most)),
            (vec![(most, true)], Ok(most)),
            (vec![(most / 2, true), (most / 2, false)], Ok(most)),
            (vec![(most + 1, false)], Err((0, 0, "1,000,001"))),
            (vec![(most + 1, true)], Err((0, 0, "1,000,001"))),
            (vec![(1, false), (most, false)], Err((1, 3, "1,000,001"))),
            (vec![(most, false), (1, true)], Err((most, 2 * most + 3, "1,000,001"))),
        ] {
            let bytes: Vec<u8> =
                blocks.iter().flat_map(|&(count, sized)| block(count, sized)).collect();
            let bytes = [bytes, vec![0]].concat();
            let mut seen = 0;
            let walked = for_each_event(&bytes, |_| seen += 1).map_err(|error| error.to_string());
            match expected {
                Ok(count) => assert_eq!((walked, seen), (Ok(()), count)),
                Err((count, byte, found)) => {
                    let message = format!(
                        "expected at most 1,000,000 events in a batch, found {found} at byte \
                         {byte}; make the agent's batch-size smaller"
                    );
                    assert_eq!((walked, seen), (Err(message), count));
                }
            }
        }
        // Many blocks of one event.
        let many = [b"\x02\x00\x00".repeat(most + 1), vec![0]].concat();
        let mut seen = 0;
        let byte = for_each_event(&many, |_| seen += 1).map_err(BatchError::byte);
        assert_eq!((byte, seen), (Err(3 * most), most));
    }

    #[test]
    fn the_message_says_what_was_expected_and_where() {
        for (bytes, message) in [
            (&b""[..], "events are cut off at byte 0"),
            (b"\x02\x00\x0aab", "events are cut off at byte 5"),
            (b"\x02\x00\x01", "expected a length, found -1 at byte 2"),
            (b"\x01\x08\x00\x02b\x00", "expected a block of 4 bytes, found 3 at byte 0"),
            (b"\x00\x00", "expected the end of the events, found 1 more bytes at byte 1"),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                "expected an integer of at most 64 bits, found a longer one at byte 0",
            ),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
                "expected a number of items, found -9223372036854775808 at byte 0",
            ),
            (
                b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
                "expected at most 1,000,000 events in a batch, found 9,223,372,036,854,775,807 at \
                 byte 0; make the agent's batch-size smaller",
            ),
            (b"\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "events are cut off at byte 12"),
        ] {
            assert_eq!(bodies(bytes).unwrap_err(), message, "{bytes:02x?}");
        }
    }
}
