//! Fields between quotes.

use memchr::{memchr_iter, memrchr_iter};

use super::find::Lookahead;
use super::run::{Cursor, StepResult, furthest_of};
use super::steps::{InnerQuotes, Program, Quoted};
use crate::text::format::numbers::status;
use crate::text::format::parsed::Span;
use crate::text::format::scan::find_quote_or_backslash;
use crate::text::format::whitespace::is_blank;

impl Program {
    /// Matches the field and its closing quote: the first unescaped quote after which the steps
    /// match, or else the first escaped one.
    #[inline]
    pub(super) fn quoted(
        &self,
        line: &[u8],
        cursor: Cursor,
        quoted: &Quoted,
        spans: &mut [Span],
    ) -> StepResult {
        if self.raw {
            return self.raw_quoted(line, cursor, quoted.field, spans);
        }
        let mut from = find_quote_or_backslash(line, cursor.at).unwrap_or(cursor.at);
        let mut failed = None;
        if line.get(from) == Some(&b'"') && quoted.next_bytes.may_match(line, from + 1) {
            let after_quote = Cursor { at: from + 1, step: cursor.step + 1 };
            match self.run(line, after_quote, usize::MAX, spans) {
                Ok(reached) => {
                    spans[quoted.field] = Span::new(cursor.at, from);
                    return Ok(reached);
                }
                Err(stop) => failed = Some(stop),
            }
            from += 1;
        }
        self.later_quote(line, cursor, quoted, (from, failed), spans)
    }

    /// Matches the field up to the first quote: nothing is escaped.
    fn raw_quoted(
        &self,
        line: &[u8],
        cursor: Cursor,
        field: usize,
        spans: &mut [Span],
    ) -> StepResult {
        let end = self.quote_of_format(line, cursor.at);
        let end = end.ok_or(Cursor { at: line.len(), ..cursor })?;
        spans[field] = Span::new(cursor.at, end);
        self.run(line, Cursor { at: end + 1, step: cursor.step + 1 }, usize::MAX, spans)
    }

    /// Continues at `from`: the text before it has no backslash and at most one quote, which did
    /// not close the field.
    #[inline(never)]
    fn later_quote(
        &self,
        line: &[u8],
        cursor: Cursor,
        quoted: &Quoted,
        (from, failed): (usize, Option<Cursor>),
        spans: &mut [Span],
    ) -> StepResult {
        let step = cursor.step + 1;
        let mut escaped_end = None;
        let mut furthest = failed;
        if let Some(counts) = &quoted.quotes_after {
            return self.counted_quote(line, cursor, quoted, (from, counts), failed, spans);
        }
        let last = last_end(line, cursor.at, quoted.inner);
        let lookahead = Lookahead { next_bytes: quoted.next_bytes, prefilter: &quoted.prefilter };
        let mut places = lookahead.quotes(line, from);
        while let Some((place, escaped)) = places.next() {
            if place > last {
                break;
            }
            if escaped && escaped_end.is_some() {
                places.drop_escaped();
                continue;
            }
            if !quoted.prefilter.may_match(line, place + 1) {
                continue;
            }
            match self.run(line, Cursor { at: place + 1, step }, usize::MAX, spans) {
                Ok(_) if escaped => escaped_end = Some(place),
                Ok(reached) => {
                    spans[quoted.field] = Span::new(cursor.at, place);
                    return Ok(reached);
                }
                Err(_) if escaped => {}
                Err(failed) => furthest = furthest_of(furthest, failed),
            }
        }
        if let Some(place) = escaped_end {
            // Later attempts may have overwritten the spans after the field.
            let reached = self.run(line, Cursor { at: place + 1, step }, usize::MAX, spans)?;
            spans[quoted.field] = Span::new(cursor.at, place);
            return Ok(reached);
        }
        Err(self.unclosed_at(line, cursor, quoted, from, furthest, spans))
    }

    /// Like `later_quote`, where the number of quotes after the closing one is known.
    fn counted_quote(
        &self,
        line: &[u8],
        cursor: Cursor,
        quoted: &Quoted,
        (from, counts): (usize, &[usize]),
        mut furthest: Option<Cursor>,
        spans: &mut [Span],
    ) -> StepResult {
        let step = cursor.step + 1;
        let nth_quote = |count| memrchr_iter(b'"', line.get(from..).unwrap_or_default()).nth(count);
        let places = || counts.iter().filter_map(|count| Some(from + nth_quote(*count)?));
        let last = last_end(line, cursor.at, quoted.inner);
        let places = || places().filter(|place| *place <= last);
        // An escaped quote closes the field only if no unescaped one does.
        for wanted in [false, true] {
            for place in places().filter(|place| is_escaped(line, from, *place) == wanted) {
                match self.run(line, Cursor { at: place + 1, step }, usize::MAX, spans) {
                    Ok(reached) => {
                        spans[quoted.field] = Span::new(cursor.at, place);
                        return Ok(reached);
                    }
                    Err(failed) => furthest = furthest_of(furthest, failed),
                }
            }
        }
        Err(self.unclosed_at(line, cursor, quoted, from, furthest, spans))
    }

    /// Where to report a field that no quote closes: after the protocol of a request that lacks its
    /// quote, or else at the failure that went furthest past the field, or at the end of the line.
    fn unclosed_at(
        &self,
        line: &[u8],
        cursor: Cursor,
        quoted: &Quoted,
        from: usize,
        furthest: Option<Cursor>,
        spans: &mut [Span],
    ) -> Cursor {
        let step = cursor.step + 1;
        if quoted.is_request
            && let Some(at) = protocol_end(line, cursor.at)
        {
            return Cursor { at, ..cursor };
        }
        let is_past_field =
            |failed: &Cursor| self.reject_at(line, *failed).1 > self.steps[step].part;
        let closest_failure = || {
            let mut places = Lookahead::BLANK.quotes(line, from);
            let next_quote = loop {
                places.drop_escaped();
                let (place, escaped) = places.next()?;
                if !escaped && line.get(place + 1).is_some_and(|byte| is_blank(*byte)) {
                    break place;
                }
            };
            let cursor = Cursor { at: next_quote + 1, step };
            self.run(line, cursor, usize::MAX, spans).err().filter(is_past_field)
        };
        let reached = furthest.filter(is_past_field).or_else(closest_failure);
        reached.unwrap_or(Cursor { at: line.len(), ..cursor })
    }
}

/// The last place where a field can end whose own quotes are restricted.
fn last_end(line: &[u8], start: usize, inner: InnerQuotes) -> usize {
    let is_end = |offset: &usize| match inner {
        InnerQuotes::Any => false,
        InnerQuotes::WithinField => line[start + offset + 1..].starts_with(b" \""),
        InnerQuotes::None => true,
    };
    if inner == InnerQuotes::Any {
        return line.len();
    }
    let mut quotes = memchr_iter(b'"', &line[start..]);
    let end = quotes.find(|offset| is_end(offset) && !is_escaped(line, start, start + offset));
    end.map_or(line.len(), |offset| start + offset)
}

/// Whether an odd number of backslashes precedes this position.
fn is_escaped(line: &[u8], from: usize, place: usize) -> bool {
    line[from..place].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The end of a request without a closing quote: after the protocol, if a status follows.
fn protocol_end(line: &[u8], start: usize) -> Option<usize> {
    let protocol = start + memchr::memmem::find(line.get(start..)?, b" HTTP/")? + 1;
    let version = line[protocol..].iter().take(12).position(|byte| is_blank(*byte))?;
    let end = protocol + version;
    let is_status = status(line, end + 1) == Some(end + 4);
    (is_status && !line[protocol..end].contains(&b'"')).then_some(end)
}
