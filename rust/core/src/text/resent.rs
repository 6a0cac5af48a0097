//! Batches that are sent again: a digest of their first events, and what is left without these.
//!
//! Neither depends on how arrays and maps are cut into blocks, or on the order of headers, which
//! maps do not have.

use twox_hash::XxHash3_128;

use super::events::{write_length, write_sized};
use super::flume::{BatchError, Events};
use super::lines::Chunk;

impl Chunk<'_> {
    /// Returns the number of events, at most `first`, and the XXH3-128 digest over these. Bytes
    /// that follow them are not read; a malformed chunk has no events.
    pub fn digest(self, first: Option<u64>) -> (u64, u128) {
        self.read_first(first.unwrap_or(u64::MAX)).unwrap_or((0, 0))
    }

    fn read_first(self, first: u64) -> Result<(u64, u128), BatchError> {
        let Some((bytes, mut events)) = self.events() else {
            return Ok((0, 0));
        };
        // Without one if all events are one run, as those of an agent with one header are.
        let mut hash: Option<XxHash3_128> = None;
        let (mut count, mut run) = (0, 0..0);
        let mut written = Vec::new();
        while count < first {
            let Some(event) = events.next()? else { break };
            count += 1;
            if events.is_plain() && (run.is_empty() && hash.is_none() || event.start == run.end) {
                run = if run.is_empty() { event } else { run.start..event.end };
                continue;
            }
            let hash = hash.get_or_insert_default();
            hash.write(&bytes[run]);
            if events.is_plain() {
                run = event;
            } else {
                run = 0..0;
                written.clear();
                write_plain(&mut events, &mut written);
                hash.write(&written);
            }
        }
        let Some(mut hash) = hash else {
            return Ok((count, XxHash3_128::oneshot(&bytes[run])));
        };
        hash.write(&bytes[run]);
        Ok((count, hash.finish_128()))
    }

    /// Returns an `appendBatch` parameter of the events that follow the first ones.
    ///
    /// Fails if the chunk is malformed.
    pub fn without(self, first: u64) -> Result<Vec<u8>, BatchError> {
        self.for_each(|_| {})?;
        let mut out = Vec::new();
        if let Some((bytes, mut events)) = self.events() {
            let mut number = 0;
            while let Some(event) = events.next()? {
                if number >= first {
                    // A block for each event: this is rare, and the number is not known yet.
                    out.push(2);
                    out.extend_from_slice(&bytes[event]);
                }
                number += 1;
            }
        }
        out.push(0);
        Ok(out)
    }

    fn events(&self) -> Option<(&[u8], Events<'_>)> {
        match self {
            Self::Lines(_) => None,
            Self::Batch(bytes) => Some((bytes, Events::of_batch(bytes))),
            Self::Event(bytes) => Some((bytes, Events::of_one(bytes))),
        }
    }
}

/// Writes an event as one that is plain: its headers in the order of their names.
fn write_plain(event: &mut Events<'_>, out: &mut Vec<u8>) {
    let Events { headers, body, .. } = event;
    // Of two headers with the same name the last one counts, so their order matters.
    headers.sort_by(|one, other| one.0.cmp(other.0));
    if !headers.is_empty() {
        write_length(out, headers.len());
    }
    for (name, value) in headers {
        write_sized(out, name);
        write_sized(out, value);
    }
    out.push(0);
    write_sized(out, body);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event as Java writes it.
    fn event(headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let sized = |out: &mut Vec<u8>, text: &str| {
            out.push(2 * u8::try_from(text.len()).unwrap());
            out.extend_from_slice(text.as_bytes());
        };
        if !headers.is_empty() {
            out.push(2 * u8::try_from(headers.len()).unwrap());
            for (name, value) in headers {
                sized(&mut out, name);
                sized(&mut out, value);
            }
        }
        out.push(0);
        sized(&mut out, body);
        out
    }

    fn batch(events: &[Vec<u8>]) -> Vec<u8> {
        let count = u8::try_from(events.len()).unwrap();
        [&[2 * count][..], &events.concat(), &[0]].concat()
    }

    fn three() -> [Vec<u8>; 3] {
        [event(&[("a", "1"), ("b", "2")], "x"), event(&[], ""), event(&[("b", "3")], "zz")]
    }

    #[test]
    fn a_digest_covers_the_first_events_and_no_others() {
        let all = three();
        let whole = batch(&all);
        let two = batch(&all[..2]);
        let digest = |bytes: &[u8], first| Chunk::Batch(bytes).digest(first);
        assert_eq!(digest(&whole, None).0, 3);
        assert_eq!(digest(&whole, Some(2)), digest(&two, None));
        assert_eq!(digest(&whole, Some(7)), digest(&whole, None));
        assert_ne!(digest(&whole, None), digest(&two, None));
        assert_eq!(Chunk::Event(&all[0]).digest(None), digest(&whole, Some(1)));
        // Bytes after the first events are not read.
        assert_eq!(digest(&whole[..whole.len() - 3], Some(2)), digest(&two, None));
        for at in 0..whole.len() - 1 {
            let mut other = whole.clone();
            other[at] ^= 2;
            assert_ne!(digest(&other, Some(3)), digest(&whole, None), "{at}");
        }
    }

    #[test]
    fn neither_blocks_nor_the_order_of_headers_matter() {
        let all = three();
        let whole = batch(&all);
        let swapped = event(&[("b", "2"), ("a", "1")], "x");
        let cut = |bytes: &[u8], at: usize| [&[2][..], &bytes[1..at], &[2], &bytes[at..]].concat();
        // Each header of the first event in a block of its own; an entry has 4 bytes.
        let in_blocks = cut(&all[0], 5);
        let sized = [&[1, 16][..], &all[0][1..9], &all[0][9..]].concat();
        let sized = [&[3, 16][..], &sized[2..]].concat();
        for first in [swapped, in_blocks, sized] {
            let other = batch(&[first, all[1].clone(), all[2].clone()]);
            assert_ne!(other, whole);
            assert_eq!(Chunk::Batch(&other).digest(None), Chunk::Batch(&whole).digest(None));
        }
        // One block for each event, and one with its size.
        let size = u8::try_from(2 * all[0].len()).unwrap();
        let blocks = [&[1, size][..], &all[0], &[2], &all[1], &[2], &all[2], &[0]].concat();
        assert_eq!(Chunk::Batch(&blocks).digest(None), Chunk::Batch(&whole).digest(None));
        // The value of a header, its name, and where a body begins do matter.
        for first in [
            event(&[("a", "2"), ("b", "1")], "x"),
            event(&[("b", "1"), ("a", "2")], "x"),
            event(&[("a", "1"), ("b", "")], "2x"),
        ] {
            let other = batch(&[first, all[1].clone(), all[2].clone()]);
            assert_ne!(Chunk::Batch(&other).digest(None), Chunk::Batch(&whole).digest(None));
        }
    }

    #[test]
    fn what_is_left_without_the_first_events_is_a_batch() {
        let all = three();
        let whole = batch(&all);
        let bodies = |bytes: &[u8]| {
            let mut seen = Vec::new();
            Chunk::Batch(bytes).for_each(|body| seen.push(body.to_vec())).unwrap();
            seen
        };
        for first in 0..5 {
            let rest = Chunk::Batch(&whole).without(first as u64).unwrap();
            assert_eq!(bodies(&rest), bodies(&whole)[first.min(3)..]);
        }
        assert_eq!(Chunk::Event(&all[0]).without(1).unwrap(), [0]);
        assert_eq!(Chunk::Batch(&[0]).without(0).unwrap(), [0]);
        assert!(Chunk::Batch(&whole[..whole.len() - 1]).without(1).is_err());
        assert!(Chunk::Batch(&[1, 8, 0, 2, b'b', 0]).without(1).is_err());
    }

    #[test]
    fn a_malformed_or_empty_batch_has_no_events() {
        for bytes in [&b""[..], b"\x00", b"\x02\x00\x0aab", b"\x01\x00", b"\x02\x01"] {
            assert_eq!(Chunk::Batch(bytes).digest(None).0, 0, "{bytes:?}");
        }
        assert_eq!(Chunk::Lines(b"a\nb\n").digest(None).0, 0);
    }
}
