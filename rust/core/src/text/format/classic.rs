//! The format of the classic Python program, matched exactly and in linear time.
//!
//! The program matches every line against this regular expression:
//!
//! ```text
//! (?P<host>\S+)\s+\S+\s+(?P<user>\S+)\s+\[(?P<time>.+)\]\s+"(?P<request>.+)"
//!     \s+(?P<status>[0-9]+)\s+(?P<size>\S+)\s+"(?P<referer>.*)"\s+"(?P<agent>.*)"\s*\Z
//! ```
//!
//! A backtracking matcher has four positions to choose, so a hostile line costs it the fourth power
//! of its length. But each choice is "the last position from which the rest still matches", and
//! whether the rest matches depends on that position alone. So the positions are found once each,
//! from the end of the line backwards:
//!
//! - the agent closes at the last character that is not blank, which must be a quote;
//! - the referer closes at the last quote that is followed by blanks and the agent's quote;
//! - the request closes at the last quote that is followed by a status, a size and a quote from
//!   which the referer's end can be reached;
//! - the time closes at the last `]` that is followed by blanks and a quote from which the
//!   request's end can be reached.
//!
//! `.` stops at a newline, which only the body of a Flume event can contain. A field that must not
//! span newlines ends in the same *run* between two newlines in which it begins, so the last
//! positions are stored for each run.

use memchr::memchr_iter;

use super::python_whitespace::{skip, trimmed_end, word_end};
use super::scan::rfind_all;
use super::whitespace::ByteRange;
use super::{Reject, Span};

/// Splits a line exactly as the regular expression does.
pub(super) fn split(line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
    let mut at = 0;
    let host = word(line, &mut at)?;
    word(line, &mut at)?;
    let user = word(line, &mut at)?;
    if line.get(at) != Some(&b'[') {
        return Err(Reject::new(at, "the bracket that opens the time"));
    }
    let open = at;
    let end = trimmed_end(line);
    if end < open + 2 || line[end - 1] != b'"' {
        return Err(Reject::new(end, "the quote that closes the agent"));
    }
    let close = end - 1;
    let newlines: Vec<usize> =
        memchr_iter(b'\n', &line[open..close]).map(|offset| open + offset).collect();
    let tail = Tail { line, open, close, newlines: &newlines };
    // A line with a single run, which is any line but an odd event body, needs no allocation.
    let tail = if newlines.is_empty() {
        tail.split(&mut [None])
    } else {
        tail.split(&mut vec![None; newlines.len() + 1])
    };
    let expected = "[time] \"request\" status size \"referer\" \"agent\"";
    let [time, request, status, size, referer, agent] = tail.ok_or(Reject::new(open, expected))?;
    let found = [host, user, time, request, status, size, referer, agent];
    spans.copy_from_slice(&found.map(Span::from));
    Ok(())
}

/// Takes a word and the blanks after it, of which there must be one.
fn word(line: &[u8], at: &mut usize) -> Result<ByteRange, Reject> {
    let start = *at;
    let end = word_end(line, start);
    *at = skip(line, end);
    match (end == start, *at == end) {
        (true, _) => Err(Reject::new(end, "a word")),
        (_, true) => Err(Reject::new(end, "a space")),
        _ => Ok((start, end)),
    }
}

/// A line from its `[` to the quote that closes the agent.
struct Tail<'a, 'n> {
    line: &'a [u8],
    open: usize,
    close: usize,
    newlines: &'n [usize],
}

/// Where a request closes, and the fields between it and the referer.
#[derive(Clone, Copy)]
struct Request {
    close: usize,
    status: ByteRange,
    size: ByteRange,
    referer: usize,
}

/// Where the last referer of a run closes.
type LastClose = Option<usize>;

impl Tail<'_, '_> {
    fn split(&self, ends: &mut [LastClose]) -> Option<[ByteRange; 6]> {
        for (run, end) in ends.iter_mut().enumerate() {
            *end = self.last_referer(run);
        }
        if self.newlines.is_empty() {
            let referer = ends[0]?;
            let request = self.last_request(0, referer, ends)?;
            return self.last_time(&[Some(request)], ends);
        }
        let requests: Vec<_> =
            (0..ends.len()).map(|run| self.last_request(run, self.run(run).1, ends)).collect();
        self.last_time(&requests, ends)
    }

    /// The start and the end of a run.
    fn run(&self, run: usize) -> (usize, usize) {
        let start = if run == 0 { self.open + 1 } else { self.newlines[run - 1] + 1 };
        (start, self.newlines.get(run).copied().unwrap_or(self.close))
    }

    fn run_of(&self, position: usize) -> usize {
        self.newlines.partition_point(|&newline| newline < position)
    }

    fn last_referer(&self, run: usize) -> Option<usize> {
        let (start, end) = self.run(run);
        let last_newline = self.newlines.last().copied().unwrap_or(0);
        rfind_all(self.line, b'"', start, end).find(|&close| {
            let agent = skip(self.line, close + 1);
            agent > close + 1
                && agent > last_newline
                && agent < self.close
                && self.line[agent] == b'"'
        })
    }

    fn last_request(&self, run: usize, end: usize, referers: &[LastClose]) -> Option<Request> {
        rfind_all(self.line, b'"', self.run(run).0, end)
            .find_map(|close| self.request_at(close, referers))
    }

    /// The request that closes at this quote, if a status, a size and a referer follow.
    fn request_at(&self, close: usize, referers: &[LastClose]) -> Option<Request> {
        let line = self.line;
        let status = skip(line, close + 1);
        if status == close + 1 {
            return None;
        }
        let digits = line[status..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let status = (status, status + digits);
        // The blanks before the size are missing if it begins right after the status.
        let size = skip(line, status.1);
        if digits == 0 || size == status.1 {
            return None;
        }
        let size = (size, word_end(line, size));
        let referer = skip(line, size.1);
        if referer == size.1 || line.get(referer) != Some(&b'"') {
            return None;
        }
        let reached = referers[self.run_of(referer)]?;
        (reached > referer).then_some(Request { close, status, size, referer })
    }

    fn last_time(
        &self,
        requests: &[Option<Request>],
        referers: &[LastClose],
    ) -> Option<[ByteRange; 6]> {
        let line = self.line;
        let start = self.open + 1;
        let end = if requests.len() == 1 { requests[0]?.close } else { self.run(0).1 };
        rfind_all(line, b']', start + 1, end.max(start + 1)).find_map(|time| {
            let open = skip(line, time + 1);
            if open == time + 1 || line.get(open) != Some(&b'"') {
                return None;
            }
            let request = requests[self.run_of(open)]?;
            if request.close < open + 2 {
                return None;
            }
            let referer = referers[self.run_of(request.referer)]?;
            let agent = skip(line, referer + 1);
            Some([
                (start, time),
                (open + 1, request.close),
                request.status,
                request.size,
                (request.referer + 1, referer),
                (agent + 1, self.close),
            ])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &[u8]) -> Result<[&str; 8], Reject> {
        let mut spans = [Span::NONE; 8];
        split(line, &mut spans)?;
        Ok(spans.map(|span| std::str::from_utf8(span.of(line).unwrap()).unwrap()))
    }

    #[test]
    fn a_plain_line_has_its_fields() {
        let line =
            br#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua x""#;
        let fields = found(line).unwrap();
        assert_eq!(fields[0], "1.2.3.4");
        assert_eq!(fields[1], "joe");
        assert_eq!(fields[2], "17/May/2015:10:05:03 +0000");
        assert_eq!(fields[3], "GET /a HTTP/1.1");
        assert_eq!(fields[4], "200");
        assert_eq!(fields[5], "5");
        assert_eq!(fields[6], "-");
        assert_eq!(fields[7], "ua x");
    }

    #[test]
    fn the_last_position_that_matches_is_taken() {
        let line = br#"h - u [t] "GET /real" 200 5 "r" "x] "GET /fake" 200 1 "-" "y""#;
        let fields = found(line).unwrap();
        assert_eq!(fields[2], r#"t] "GET /real" 200 5 "r" "x"#);
        assert_eq!(fields[3], "GET /fake");
    }

    #[test]
    fn newlines_may_separate_fields_but_not_be_in_them() {
        assert!(found(b"h\n-\nu\n[t]\n\"r\"\n200\n5\n\"\"\n\"\"\n").is_ok());
        assert!(found(b"h - u [t\nt] \"r\" 200 5 \"\" \"\"").is_err());
        assert!(found(b"h - u [t] \"r\nr\" 200 5 \"\" \"\"").is_err());
        assert!(found(b"h - u [t] \"r\" 200 5 \"\n\" \"\"").is_err());
        assert!(found(b"h - u [t] \"r\" 200 5 \"\" \"\n\"").is_err());
    }

    #[test]
    fn a_reject_has_the_byte_where_the_line_stops_matching() {
        assert_eq!(found(b"").unwrap_err().byte(), 0);
        assert_eq!(found(b"host").unwrap_err().byte(), 4);
        assert_eq!(found(b"h - u x").unwrap_err().byte(), 6);
        assert_eq!(found(b"h - u [t] \"r\" 200 5 \"\" \"a ").unwrap_err().byte(), 25);
    }
}
