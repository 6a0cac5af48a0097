//! Encodes newline-separated text as parameters of Flume's `appendBatch`; `flume` decodes them.
//!
//! A batch is written as Java writes it: an array of one block with a positive count. The text may
//! be cut anywhere: an unfinished line and an unfinished batch are carried over, so every batch but
//! the last has the same number of events, however the text was cut. The headers of events are
//! given with each piece of text, because a line is stamped when it is read.

use memchr::memchr_iter;

use super::lines::MAX_LINE_BYTES;

/// The longest varint of a 64-bit integer.
const MAX_VARINT: usize = 10;

/// The bytes around the items of an array: a count, and the zero that ends it.
const AROUND_EVENTS: usize = MAX_VARINT + 1;

/// The headers of events, encoded once for many events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers(Vec<u8>);

impl Headers {
    /// Encodes names and values, in order.
    pub fn new<'a>(pairs: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut out = Vec::new();
        // An empty map is only its end: a block of zero entries would be that end too.
        if pairs.len() > 0 {
            write_length(&mut out, pairs.len());
        }
        for (name, value) in pairs {
            write_sized(&mut out, name.as_bytes());
            write_sized(&mut out, value.as_bytes());
        }
        out.push(0);
        Self(out)
    }
}

/// The parameter of one `appendBatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// An Avro array of events.
    pub parameter: Vec<u8>,
    /// The number of events.
    pub events: usize,
}

/// Cuts newline-separated text into batches of events.
#[derive(Debug)]
pub struct Batcher {
    size: usize,
    max_bytes: usize,
    events: Vec<u8>,
    count: usize,
    /// The start of an unfinished line.
    line: Vec<u8>,
    /// Whether the unfinished line is over the limit; nothing of it is held then.
    skipping: bool,
    long: u64,
    unsendable: u64,
}

impl Batcher {
    /// Creates a batcher for batches of `size` events, or fewer where they would exceed
    /// `max_bytes`.
    pub fn new(size: usize, max_bytes: usize) -> Self {
        Self {
            size: size.max(1),
            max_bytes,
            events: Vec::new(),
            count: 0,
            line: Vec::new(),
            skipping: false,
            long: 0,
            unsendable: 0,
        }
    }

    /// Takes lines up to the end of the text, or of the line that completes a batch. Returns how
    /// many bytes it took, and that batch.
    pub fn take(&mut self, text: &[u8], headers: &Headers) -> (usize, Option<Batch>) {
        let mut start = 0;
        for end in memchr_iter(b'\n', text) {
            let batch = self.end_line(&text[start..end], headers);
            start = end + 1;
            if batch.is_some() {
                return (start, batch);
            }
        }
        self.hold(&text[start..]);
        (text.len(), None)
    }

    /// Ends the text, whose last line needs no newline. An unfinished batch continues with the next
    /// text.
    pub fn end_text(&mut self, headers: &Headers) -> Option<Batch> {
        if self.line.is_empty() && !self.skipping { None } else { self.end_line(b"", headers) }
    }

    /// Drops the unfinished line, if its end will never arrive.
    pub fn drop_line(&mut self) {
        self.line.clear();
        self.skipping = false;
    }

    /// Returns the pending events as a batch that is not full.
    pub fn flush(&mut self) -> Option<Batch> {
        if self.count == 0 {
            return None;
        }
        let mut parameter = Vec::with_capacity(self.events.len() + AROUND_EVENTS);
        write_length(&mut parameter, self.count);
        parameter.extend_from_slice(&self.events);
        parameter.push(0);
        self.events.clear();
        Some(Batch { parameter, events: std::mem::take(&mut self.count) })
    }

    /// The number of events that wait for a full batch.
    pub fn pending(&self) -> usize {
        self.count
    }

    /// The number of events longer than [`MAX_LINE_BYTES`], which a tailrace receiver rejects.
    pub fn long(&self) -> u64 {
        self.long
    }

    /// The number of lines dropped because no batch can hold them.
    pub fn unsendable(&self) -> u64 {
        self.unsendable
    }

    fn hold(&mut self, part: &[u8]) {
        if self.skipping || self.line.len() + part.len() > self.max_bytes {
            self.skipping = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, tail: &[u8], headers: &Headers) -> Option<Batch> {
        if self.line.is_empty() && !self.skipping {
            return self.push(tail, headers);
        }
        self.hold(tail);
        if std::mem::take(&mut self.skipping) {
            self.unsendable += 1;
            return None;
        }
        let mut line = std::mem::take(&mut self.line);
        let batch = self.push(&line, headers);
        // The buffer is reused, unless the line was exceptionally long.
        if line.capacity() <= 2 * MAX_LINE_BYTES {
            line.clear();
            self.line = line;
        }
        batch
    }

    /// Adds an event. Returns the batch that it completes, or the one it would make too large.
    fn push(&mut self, body: &[u8], headers: &Headers) -> Option<Batch> {
        let event = headers.0.len() + MAX_VARINT + body.len();
        if event + AROUND_EVENTS > self.max_bytes {
            self.unsendable += 1;
            return None;
        }
        let too_large = self.events.len() + event + AROUND_EVENTS > self.max_bytes;
        // With one event per batch none is pending here, so there are never two to return.
        let before = if too_large { self.flush() } else { None };
        self.long += u64::from(body.len() > MAX_LINE_BYTES);
        self.events.extend_from_slice(&headers.0);
        write_sized(&mut self.events, body);
        self.count += 1;
        if self.count == self.size { self.flush() } else { before }
    }
}

pub(super) fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    write_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes a length or count as a zig-zag varint.
pub(super) fn write_length(out: &mut Vec<u8>, length: usize) {
    let mut rest = (length as u64) << 1;
    while rest >= 0x80 {
        // The low seven bits, and the bit that says more follow.
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::flume::for_each_event;
    use proptest::prelude::*;

    const ROOM: usize = 1 << 20;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
        Headers::new(pairs.iter().copied())
    }

    /// All batches of a text that arrives in pieces.
    fn batches(mut batcher: Batcher, pieces: &[&[u8]]) -> (Vec<Batch>, Batcher) {
        let none = headers(&[]);
        let mut all = Vec::new();
        for piece in pieces {
            let mut at = 0;
            while at < piece.len() {
                let (taken, batch) = batcher.take(&piece[at..], &none);
                at += taken;
                all.extend(batch);
            }
        }
        all.extend(batcher.end_text(&none));
        all.extend(batcher.flush());
        (all, batcher)
    }

    fn bodies(batches: &[Batch]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for batch in batches {
            let before = all.len();
            for_each_event(&batch.parameter, |event| all.push(event.body.to_vec())).unwrap();
            assert_eq!(all.len() - before, batch.events);
        }
        all
    }

    #[test]
    fn two_events_with_a_header_are_the_bytes_that_java_writes() {
        let stamp = headers(&[("timestamp", "1500000000000")]);
        let event = b"\x02\x12timestamp\x1a1500000000000\x00\x0cline00";
        let expected = [b"\x04", &event[..], event, b"\x00"].concat();
        let mut batcher = Batcher::new(2, ROOM);
        let (taken, batch) = batcher.take(b"line00\nline00\nmore", &stamp);
        assert_eq!((taken, batch), (14, Some(Batch { parameter: expected, events: 2 })));
        assert_eq!(batcher.pending(), 0);
    }

    #[test]
    fn an_event_keeps_the_headers_that_it_was_read_with() {
        let mut batcher = Batcher::new(3, ROOM);
        assert_eq!(batcher.take(b"a\nb", &headers(&[("f", "1")])), (3, None));
        assert_eq!(batcher.end_text(&headers(&[("f", "1")])), None);
        let (_, batch) = batcher.take(b"c\n", &headers(&[]));
        let expected = b"\x06\x02\x02f\x021\x00\x02a\x02\x02f\x021\x00\x02b\x00\x02c\x00";
        assert_eq!(batch.unwrap().parameter, expected);
    }

    #[test]
    fn a_dropped_unfinished_line_is_no_event() {
        let none = headers(&[]);
        let mut batcher = Batcher::new(3, ROOM);
        assert_eq!(batcher.take(b"a\nbro", &none), (5, None));
        batcher.drop_line();
        assert_eq!(batcher.take(b"c\n", &none), (2, None));
        assert_eq!(bodies(&[batcher.flush().unwrap()]), [b"a", b"c"]);
    }

    #[test]
    fn a_text_without_lines_has_no_batch() {
        assert!(batches(Batcher::new(1, ROOM), &[]).0.is_empty());
        assert!(batches(Batcher::new(1, ROOM), &[b""]).0.is_empty());
    }

    #[test]
    fn a_batch_that_would_be_too_large_ends_before_the_line() {
        let text = [[b'x'; 400].as_slice(), b"\n", &[b'y'; 400], b"\n", &[b'z'; 100]].concat();
        let (all, _) = batches(Batcher::new(10, 600), &[&text]);
        assert_eq!(all.iter().map(|batch| batch.events).collect::<Vec<_>>(), [1, 2]);
        assert!(all.iter().all(|batch| batch.parameter.len() <= 600));
        assert_eq!(bodies(&all), [vec![b'x'; 400], vec![b'y'; 400], vec![b'z'; 100]]);
    }

    #[test]
    fn a_line_that_no_batch_can_hold_is_counted_and_not_held() {
        let long = vec![b'x'; 5_000];
        let text = [b"a\n", &long[..], b"\nb\n", &long[..]].concat();
        for size in [1, 7, 600, text.len()] {
            let pieces: Vec<_> = text.chunks(size).collect();
            let (all, batcher) = batches(Batcher::new(10, 600), &pieces);
            assert_eq!(bodies(&all), [b"a", b"b"]);
            assert_eq!((batcher.unsendable(), batcher.long()), (2, 0));
            assert!(batcher.line.capacity() <= 1_200);
        }
    }

    #[test]
    fn a_line_over_the_line_limit_is_sent_whole_and_counted() {
        let text = [vec![b'x'; MAX_LINE_BYTES], vec![b'y'; MAX_LINE_BYTES + 1]].join(&b'\n');
        let (all, batcher) = batches(Batcher::new(10, ROOM), &[&text]);
        assert_eq!(bodies(&all).concat().len(), 2 * MAX_LINE_BYTES + 1);
        assert_eq!((batcher.unsendable(), batcher.long()), (0, 1));
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn every_line_is_an_event_however_the_text_is_cut(
            text in "[ab\r\n\u{e9}]{0,80}",
            size in 1_usize..5,
            cuts in proptest::collection::vec(0_usize..90, 0..6),
        ) {
            let text = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            let (all, _) = batches(Batcher::new(size, ROOM), &pieces);

            let mut lines: Vec<_> = text.split(|&byte| byte == b'\n').collect();
            if lines.last().is_some_and(|last| last.is_empty()) {
                lines.pop();
            }
            prop_assert_eq!(bodies(&all), lines);
            let full = all.split_last().map_or(&[][..], |(_, before)| before);
            prop_assert!(full.iter().all(|batch| batch.events == size));
        }
    }
}
