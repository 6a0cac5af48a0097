//! Compares the matcher with a naive one that applies the rules of a template byte by byte: no
//! compiled steps, no fast path, no masks, nothing shared between alternatives.

use proptest::prelude::*;

use super::super::{Slot, Syntax};
use super::naive_lines::{COLUMNS, PASTED, broken};
use super::tests::{compile, parsed, templates};
use super::*;
use crate::text::format::field_type::FieldType;
use crate::text::format::naive::{
    after_blanks, brackets, host_ident_user, is_blank, is_host, is_time, is_user, quotes, trimmed,
    words,
};
use crate::text::format::time::TimeFormat;
use crate::text::format::whitespace::ByteRange;

/// Name, type and position of each field of a line, by the first template that matches.
fn walked(templates: &[Template], line: &[u8]) -> Option<Vec<(String, FieldType, ByteRange)>> {
    let parts = || templates.iter().flat_map(|template| &template.parts);
    let has_tab = parts().any(|part| matches!(part, Part::Literal(text) if text.contains(&b'\t')));
    let (start, end) = trimmed(line, if has_tab { b" \r\n" } else { b" \t\r\n" });
    let line = &line[..end];
    if let Some(template) = templates.iter().find(|template| template.raw) {
        let quotes = |text: &[u8]| memchr::memchr_iter(b'"', text).count();
        let own = template.parts.iter().map(|part| match part {
            Part::Literal(text) => quotes(text),
            Part::Field(_) => 0,
        });
        let fits = quotes(line) <= own.sum();
        return fits.then(|| walked_from(templates, line, start))?;
    }
    let ends_in_quote = |template: &Template| matches!(template.parts.last(), Some(Part::Literal(text)) if text.ends_with(b"\""));
    let is_quote = |at: usize| line.get(at) == Some(&b'"');
    let may_be_in_quotes = end > start + 1
        && is_quote(start)
        && is_quote(end - 1)
        && templates
            .iter()
            .all(|template| Walk { template, parts: normalized(template), line }.is_head());
    if may_be_in_quotes {
        let inside = &line[..end - 1];
        let run = line[..end - 2].iter().rev().take_while(|&&byte| byte == b'\\').count();
        let closes = is_quote(end - 2) && run % 2 == 0;
        let order = if closes || !templates.iter().any(ends_in_quote) {
            [inside, line]
        } else {
            [line, inside]
        };
        return order.into_iter().find_map(|line| walked_from(templates, line, start));
    }
    walked_from(templates, line, start)
}

fn walked_from(
    templates: &[Template],
    line: &[u8],
    start: usize,
) -> Option<Vec<(String, FieldType, ByteRange)>> {
    templates.iter().find_map(|template| {
        let walk = Walk { template, parts: normalized(template), line };
        let places = walk.all(Here { part: 0, at: start, places: vec![None; walk.parts.len()] })?;
        let fields = walk.parts.iter().zip(places).filter_map(|(part, place)| match part {
            Part::Field(slot) => Some((slot.name.clone(), slot.read.clone(), place?)),
            Part::Literal(_) => None,
        });
        Some(fields.collect())
    })
}

/// The parts, with runs of blanks collapsed to one and none at either end of the line.
fn normalized(template: &Template) -> Vec<Part> {
    let mut parts = template.parts.clone();
    for part in &mut parts {
        let Part::Literal(text) = part else { continue };
        let mut one: Vec<u8> = Vec::new();
        for byte in text.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }) {
            if byte != b' ' || one.last() != Some(&b' ') {
                one.push(byte);
            }
        }
        *text = one;
    }
    if let Some(Part::Literal(text)) = parts.last_mut()
        && text.last() == Some(&b' ')
    {
        text.pop();
    }
    if let Some(Part::Literal(text)) = parts.first_mut()
        && text.first() == Some(&b' ')
    {
        text.remove(0);
    }
    parts
}

struct Walk<'a> {
    template: &'a Template,
    parts: Vec<Part>,
    line: &'a [u8],
}

/// The next part, the byte where it begins, and the positions of the fields before it.
#[derive(Clone)]
struct Here {
    part: usize,
    at: usize,
    places: Vec<Option<ByteRange>>,
}

impl Here {
    fn set(mut self, part: usize, place: ByteRange) -> Self {
        self.places[part] = Some(place);
        self
    }
}

/// How the end of a field is found.
#[derive(Clone, Copy, PartialEq)]
enum FieldEnd {
    /// It ends where its own syntax ends.
    Scanned,
    /// It ends at the first quote after which the line matches, at an escaped one if no other does.
    Quoted,
    Word,
    /// Words with commas between them, or also lone colons.
    List {
        colons: bool,
    },
    Rest,
    /// The rest of the line, if it has no quote.
    Cut,
    /// It ends at the first position where what follows it matches.
    Until {
        word: bool,
        may_be_empty: bool,
    },
}

/// Whether a bare dash may replace a field and its quotes.
fn may_be_dash(slot: &Slot) -> bool {
    slot.read == FieldType::Request || slot.syntax == Syntax::FreeOrDash
}

impl Walk<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.line.get(at).copied()
    }

    fn literal(&self, part: usize) -> &[u8] {
        match self.parts.get(part) {
            Some(Part::Literal(text)) => text,
            _ => b"",
        }
    }

    fn slot(&self, part: usize) -> Option<&Slot> {
        match self.parts.get(part)? {
            Part::Field(slot) => Some(slot),
            Part::Literal(_) => None,
        }
    }

    /// The bytes before and after a field.
    fn around(&self, part: usize) -> (Option<u8>, Option<u8>) {
        let before = part.checked_sub(1).and_then(|before| self.literal(before).last().copied());
        (before, self.literal(part + 1).first().copied())
    }

    fn may_be_empty(&self, part: usize) -> bool {
        let pairs: [&[u8]; 6] = [b"\"\"", b"''", b"[]", b"()", b"{}", b"<>"];
        matches!(self.around(part), (Some(one), Some(two)) if pairs.contains(&&[one, two][..]))
    }

    fn field_end(&self, part: usize, slot: &Slot) -> FieldEnd {
        let around = self.around(part);
        let may_be_empty = self.may_be_empty(part);
        let is_list = matches!(&*slot.name, "host" | "xff") || slot.name.starts_with("upstream");
        let has_mark = self.literal(part + 1).iter().any(|byte| *byte != b' ');
        match (slot.syntax, around.1) {
            (Syntax::Word | Syntax::Free | Syntax::FreeOrDash, Some(b'"'))
                if around.0 == Some(b'"') =>
            {
                FieldEnd::Quoted
            }
            (Syntax::Unquoted | Syntax::OneQuoted, _) => FieldEnd::Quoted,
            (Syntax::Cut, _) => FieldEnd::Cut,
            (Syntax::Free | Syntax::FreeOrDash, None) => FieldEnd::Rest,
            (Syntax::Free | Syntax::FreeOrDash, _) | (Syntax::Word, Some(b'\t')) => {
                FieldEnd::Until { word: false, may_be_empty: true }
            }
            (Syntax::Word, Some(b' ')) if slot.name == "user" && has_mark => {
                FieldEnd::Until { word: false, may_be_empty: false }
            }
            (Syntax::Word, None | Some(b' ')) if is_list => {
                FieldEnd::List { colons: slot.name.starts_with("upstream") }
            }
            (Syntax::Word, None | Some(b' ')) => FieldEnd::Word,
            (Syntax::Word, Some(_)) => FieldEnd::Until { word: true, may_be_empty },
            _ => FieldEnd::Scanned,
        }
    }

    /// Whether a field may have this text: hosts and users of access logs have rules of their own.
    fn accepts(&self, part: usize, (start, end): ByteRange) -> bool {
        let is_request =
            |part: &Part| matches!(part, Part::Field(slot) if slot.read == FieldType::Request);
        let text = &self.line[start..end];
        match self.slot(part).map(|slot| &*slot.name) {
            _ if !self.parts.iter().any(is_request) => true,
            Some("host") => is_host(text),
            Some("user") => is_user(text),
            _ => true,
        }
    }

    /// Whether a line may end here.
    fn ends(&self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| self.template.open_ended && matches!(byte, b' ' | b'\t'))
    }

    fn all(&self, start: Here) -> Option<Vec<Option<ByteRange>>> {
        let mut here = if self.is_head() { self.head(&start)? } else { start };
        while here.part <= self.parts.len() {
            let searched = self.slot(here.part).map(|slot| self.field_end(here.part, slot));
            here = match searched {
                Some(field_end) if field_end != FieldEnd::Scanned => {
                    self.search(&here, field_end)?
                }
                _ => self.ahead(here, 0, None)?,
            };
        }
        Some(here.places)
    }

    /// Matches literals and scanned fields up to the next searched field, or up to a scanned field
    /// that may contain the byte `before`. The first `taken` bytes of the first literal have
    /// matched already. After the last part comes the end of the line.
    fn ahead(&self, mut here: Here, mut taken: usize, before: Option<u8>) -> Option<Here> {
        let done = self.parts.len() + 1;
        loop {
            let part = here.part;
            let Some(slot) = self.slot(part) else {
                if part == self.parts.len() {
                    return self.ends(here.at).then_some(Here { part: done, ..here });
                }
                let mut text = &self.literal(part)[taken..];
                taken = 0;
                let may_be_dash = self.slot(part + 1).is_some_and(may_be_dash);
                let opens = may_be_dash
                    && !self.template.raw
                    && self.around(part + 1) == (Some(b'"'), Some(b'"'));
                if opens && let Some(before_quote) = text.strip_suffix(b"\"") {
                    text = before_quote;
                }
                let ends = self.may_end_before(part) && self.ends(here.at);
                match self.literal_end(text, here.at) {
                    Some(end) => here.at = end,
                    None => return ends.then_some(Here { part: done, ..here }),
                }
                here.part += 1;
                if opens {
                    match self.byte(here.at)? {
                        b'"' => here.at += 1,
                        // A dash replaces the request and its quotes.
                        b'-' => {
                            let place = (here.at, here.at + 1);
                            here =
                                Here { part: part + 2, at: place.1, ..here.set(part + 1, place) };
                            taken = 1;
                        }
                        _ => return None,
                    }
                }
                continue;
            };
            if self.field_end(part, slot) != FieldEnd::Scanned
                || before.is_some_and(|byte| self.may_have(part, slot, byte))
            {
                return Some(here);
            }
            let end = self.scanned(slot, part, here.at);
            let end = end.or(self.may_be_empty(part).then_some(here.at))?;
            let place = (here.at, end);
            here = Here { part: part + 1, at: end, ..here.set(part, place) };
        }
    }

    /// Whether the line may end before this literal. The quote or bracket that ends the field
    /// before it belongs to that field, and the quote that opens a request to the request.
    fn may_end_before(&self, part: usize) -> bool {
        let is_opened = self.slot(part + 1).is_some_and(may_be_dash)
            && self.around(part + 1) == (Some(b'"'), Some(b'"'));
        let is_closed = self.slot(part.wrapping_sub(1)).is_some_and(|slot| {
            self.field_end(part - 1, slot) == FieldEnd::Quoted
                || self.is_head() && part == self.head_parts()
        });
        let own = self.literal(part).len().saturating_sub(usize::from(is_opened));
        own > usize::from(is_closed) && self.template.may_end_before.contains(&part)
    }

    /// The end of a literal that begins here.
    fn literal_end(&self, text: &[u8], mut at: usize) -> Option<usize> {
        for &byte in text {
            let end = if byte == b' ' {
                after_blanks(self.line, at)
            } else {
                at + usize::from(self.byte(at) == Some(byte))
            };
            if end == at {
                return None;
            }
            at = end;
        }
        Some(at)
    }

    /// The end of a scanned field that begins here.
    fn scanned(&self, slot: &Slot, part: usize, at: usize) -> Option<usize> {
        let line = self.line;
        let is_digit = |at: &usize| line.get(*at).is_some_and(u8::is_ascii_digit);
        let minus = |at: usize| at + usize::from(line.get(at) == Some(&b'-'));
        // A run of more digits than a number may have is cut at the limit.
        let digits = |at: usize| at + (at..at + 19).take_while(is_digit).count();
        // Digits with an optional point that has a digit on at least one side; or a dash.
        let decimal = |at: usize| {
            let start = minus(at);
            let whole = digits(start);
            let end = if line.get(whole) == Some(&b'.') { digits(whole + 1) } else { whole };
            let has_digits = whole > start || end > whole + 1;
            if has_digits { Some(end) } else { (start > at).then_some(start) }
        };
        let is_dash = line.get(at) == Some(&b'-');
        match slot.syntax {
            Syntax::Status => match digits(at) - at {
                0 if is_dash => Some(at + 1),
                3.. => Some(at + 3),
                _ => None,
            },
            Syntax::Int => match digits(minus(at)) - minus(at) {
                0 if is_dash => Some(at + 1),
                count @ 1..=18 => Some(minus(at) + count),
                _ => None,
            },
            Syntax::Signed => {
                let start = at + usize::from(line.get(at) == Some(&b'+'));
                let count = digits(minus(start)) - minus(start);
                match count {
                    0 if line.get(start) == Some(&b'-') => Some(start + 1),
                    1..=18 => Some(minus(start) + count),
                    _ => None,
                }
            }
            Syntax::Number | Syntax::NumberWithPoint => {
                let end = decimal(at)?;
                let is_lone_dash = is_dash && end == at + 1;
                let sign = end + 1 + usize::from(matches!(line.get(end + 1), Some(b'+' | b'-')));
                let has_exponent = matches!(line.get(end), Some(b'e' | b'E')) && is_digit(&sign);
                let end = if has_exponent && !is_lone_dash { digits(sign) } else { end };
                let fits =
                    slot.syntax == Syntax::Number || line[at..end].contains(&b'.') || is_lone_dash;
                fits.then_some(end)
            }
            Syntax::Numbers => {
                let mut end = decimal(at)?;
                let after = self.literal(part + 1);
                let is_bare = after.starts_with(b",") && !after.starts_with(b", ");
                loop {
                    let separator = after_blanks(line, end);
                    let rest = line.get(separator..).unwrap_or_default();
                    if is_bare && rest.starts_with(b",") && !rest.starts_with(b", ") {
                        return Some(end);
                    }
                    let is_colon = line.get(separator) == Some(&b':') && separator > end;
                    let rest = line.get(separator + 1..).unwrap_or_default();
                    if is_colon && (rest.is_empty() || rest.starts_with(b"  ")) {
                        return Some(separator + 1);
                    }
                    let next = after_blanks(line, separator + 1);
                    match decimal(next) {
                        Some(next) if matches!(line[separator], b',' | b':') => end = next,
                        _ => return Some(end),
                    }
                }
            }
            Syntax::Time => self.time(slot, self.around(part).1, at),
            Syntax::Word
            | Syntax::Free
            | Syntax::FreeOrDash
            | Syntax::Unquoted
            | Syntax::OneQuoted
            | Syntax::Cut => None,
        }
    }

    /// A time ends at its terminator, after as many of them as its format contains.
    fn time(&self, slot: &Slot, terminator: Option<u8>, start: usize) -> Option<usize> {
        let terminator = terminator.filter(|byte| !is_blank(*byte));
        let ends = |byte: u8| terminator.map_or(is_blank(byte), |terminator| byte == terminator);
        let mut inside = inner_terminators(slot, terminator);
        let mut at = start;
        while let Some(byte) = self.byte(at) {
            if ends(byte) {
                if inside == 0 {
                    break;
                }
                inside -= 1;
                at = if terminator.is_none() { after_blanks(self.line, at) } else { at + 1 };
            } else if is_time_byte(slot, terminator, byte) {
                at += 1;
            } else {
                return None;
            }
        }
        (1..=80).contains(&(at - start)).then_some(at)
    }

    /// Whether a scanned field may contain this byte.
    fn may_have(&self, part: usize, slot: &Slot, byte: u8) -> bool {
        byte.is_ascii_digit()
            || match slot.syntax {
                Syntax::Status | Syntax::Int => byte == b'-',
                Syntax::Signed => b"-+".contains(&byte),
                Syntax::Number | Syntax::NumberWithPoint => b"-.+eE".contains(&byte),
                Syntax::Numbers => b"-.,: ".contains(&byte),
                Syntax::Time => is_time_byte(slot, self.around(part).1, byte),
                Syntax::Word
                | Syntax::Free
                | Syntax::FreeOrDash
                | Syntax::Unquoted
                | Syntax::OneQuoted
                | Syntax::Cut => false,
            }
    }

    fn search(&self, here: &Here, field_end: FieldEnd) -> Option<Here> {
        let (part, start) = (here.part, here.at);
        let line = self.line;
        let syntax = self.slot(part).map(|slot| slot.syntax);
        let is_restricted = matches!(syntax, Some(Syntax::Unquoted | Syntax::OneQuoted));
        let ended_at = |end: usize| {
            let here = Here { part: part + 1, at: end, ..here.clone() };
            here.set(part, (start, end))
        };
        let word = words(line, start).first().filter(|word| word.0 == start).copied();
        match field_end {
            FieldEnd::Scanned => None,
            FieldEnd::Word => Some(ended_at(word?.1)),
            FieldEnd::List { colons } => {
                let words = words(line, word?.0);
                let text = |at: usize| words.get(at).map(|word| &line[word.0..word.1]);
                let goes_on = |at: usize| {
                    let is_colon = |at: usize| colons && text(at) == Some(b":");
                    let is_after_colon = is_colon(at)
                        && words[at].0.checked_sub(1).is_some_and(|at| line[at] == b' ')
                        && !line[words[at].1..].starts_with(b"  ");
                    text(at).is_some_and(|word| word.ends_with(b","))
                        || is_colon(at + 1)
                        || is_after_colon
                };
                let last = (0..words.len()).find(|&at| !goes_on(at));
                let end = words[last.unwrap_or(words.len() - 1)].1;
                self.accepts(part, (start, end)).then(|| ended_at(end))
            }
            FieldEnd::Rest if self.template.raw && line[start..].contains(&b'"') => None,
            FieldEnd::Cut if line[start..].contains(&b'"') => None,
            FieldEnd::Rest | FieldEnd::Cut => Some(ended_at(line.len())),
            FieldEnd::Quoted if self.template.raw => {
                let quote = (start..line.len()).find(|&at| line[at] == b'"')?;
                self.ahead(Here { at: quote + 1, ..ended_at(quote) }, 1, None)
            }
            FieldEnd::Quoted => quotes(line, start).into_iter().find_map(|quote| {
                let text = &line[start..quote];
                let is_end = |at: usize| {
                    let backslashes =
                        text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                    let goes_on = line[start + at + 1..].starts_with(b" \"");
                    text[at] == b'"'
                        && backslashes % 2 == 0
                        && (syntax == Some(Syntax::Unquoted) || goes_on)
                };
                if is_restricted && (0..text.len()).any(is_end) {
                    return None;
                }
                let here = ended_at(quote);
                self.ahead(Here { at: quote + 1, ..here }, 1, None)
            }),
            FieldEnd::Until { word: in_word, may_be_empty } => {
                let limit = if in_word { word.map_or(start, |word| word.1) } else { line.len() };
                let text = self.literal(part + 1);
                let delimiter = text.iter().copied().find(|byte| *byte != b' ');
                let ends = self.ends_of(start, limit, delimiter, text.first() == Some(&b' '));
                let fits =
                    |end: usize| self.ahead(ended_at(end), 0, Some(delimiter.unwrap_or(b' ')));
                let is_one = |end: &usize| *end > start || may_be_empty;
                let found = ends.into_iter().filter(is_one).find_map(|end| Some((end, fits(end)?)));
                if let Some((end, found)) = found {
                    return self.accepts(part, (start, end)).then_some(found);
                }
                // It is the last field of the line, if the line may end after it.
                let is_last = self.may_end_before(part + 1) && limit == line.len();
                (is_last && start < limit).then(|| self.ahead(ended_at(limit), 0, None))?
            }
        }
    }

    /// The positions where a field may end: before each delimiter, or the blanks before it; without
    /// a delimiter, at the first space or tab of each run of blanks.
    fn ends_of(
        &self,
        start: usize,
        end: usize,
        delimiter: Option<u8>,
        blank_before: bool,
    ) -> Vec<usize> {
        let line = self.line;
        let mut ends = Vec::new();
        let mut at = start;
        while at < end {
            match delimiter {
                Some(delimiter) if line[at] == delimiter => {
                    let before = (start..at).rev().find(|&at| !is_blank(line[at]));
                    let text = before.map_or(start, |last| last + 1);
                    match blank_before {
                        true if text < at => ends.push(text),
                        true => {}
                        false => ends.push(at),
                    }
                }
                None if matches!(line[at], b' ' | b'\t') => {
                    ends.push(at);
                    at = after_blanks(line, at) - 1;
                }
                _ => {}
            }
            at += 1;
        }
        ends
    }

    /// Whether the template begins with host, ident, user and a time in brackets.
    fn is_head(&self) -> bool {
        let parts = self.head_parts();
        let is_field =
            |part: usize, name: &str| self.slot(part).is_some_and(|slot| slot.name == name);
        let is_word = |part: usize| self.slot(part).is_some_and(|slot| slot.syntax == Syntax::Word);
        let is_time =
            |slot: &Slot| matches!(slot.read, FieldType::Time(TimeFormat::Clf | TimeFormat::Any));
        let user = parts - 3;
        let has_ident = user == 4
            && is_word(2)
            && (is_field(2, "") || is_field(2, "ident"))
            && (self.literal(1), self.literal(3)) == (b" ", b" ");
        (has_ident || user == 2)
            && is_field(0, "host")
            && is_word(0)
            && is_field(user, "user")
            && self.literal(user + 1) == b" ["
            && self.slot(user + 2).is_some_and(is_time)
            && self.literal(parts).starts_with(b"]")
    }

    /// The number of parts of the head: a format without an ident has a dash in its place.
    fn head_parts(&self) -> usize {
        if self.literal(1) == b" - " { 5 } else { 7 }
    }

    /// The time is in the first brackets after which the line matches the template.
    fn head(&self, start: &Here) -> Option<Here> {
        let parts = self.head_parts();
        let after = self.slot(parts + 1).filter(|slot| slot.read == FieldType::Request);
        let has_request = after.is_some() && self.around(parts + 1) == (Some(b'"'), Some(b'"'));
        let fits = |(open, close): (usize, usize)| {
            let here = Here { part: parts, at: close + 1, ..start.clone() };
            let here = self.ahead(here, 1, None)?;
            // Without a quote after it, the text has to be a time and the rest has to match.
            let is_quoted = !has_request || here.part == parts + 1;
            let goes_on = here.at == self.line.len() || here.part <= self.parts.len();
            let is_one = is_quoted || goes_on && is_time(&self.line[open + 1..close]);
            is_one.then_some((open, close, here))
        };
        let (open, close, here) = brackets(self.line, start.at).into_iter().find_map(fits)?;
        let [host, ident, user] = host_ident_user(self.line, start.at, (open, close))?;
        let mut here = here.set(parts - 1, (open + 1, close));
        here.places[0] = host;
        here.places[parts - 3] = user;
        let (begin, end) = ident?;
        if parts == 5 {
            return (self.line[begin..end] == *b"-").then_some(here);
        }
        Some(here.set(2, (begin, end)))
    }
}

/// The strftime format of a time, with its shorthands expanded.
fn time_format(slot: &Slot) -> String {
    let text = match &slot.read {
        FieldType::Time(TimeFormat::Clf | TimeFormat::Any) => "%d/%b/%Y:%H:%M:%S %z",
        FieldType::Time(TimeFormat::Strftime(text)) => text,
        _ => "",
    };
    let clock = text.replace("%T", "%H:%M:%S").replace("%R", "%H:%M");
    let date = clock.replace("%D", "%m/%d/%y").replace("%F", "%Y-%m-%d");
    date.replace("%c", "%a %b %e %H:%M:%S %Y")
}

/// How many of its terminators a time contains.
fn inner_terminators(slot: &Slot, terminator: Option<u8>) -> usize {
    let format = time_format(slot);
    match terminator {
        // `Any` also accepts a bare number, which contains no blank.
        None if slot.read == FieldType::Time(TimeFormat::Any) => 0,
        None => format.split_ascii_whitespace().count().saturating_sub(1),
        Some(terminator) => format.bytes().filter(|byte| *byte == terminator).count(),
    }
}

fn is_time_byte(slot: &Slot, terminator: Option<u8>, byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || b"/:+-.,".contains(&byte)
        || terminator == Some(b']') && b"_()".contains(&byte)
        || byte != b'%' && time_format(slot).bytes().any(|own| own == byte)
        || is_blank(byte) && (terminator.is_some() || inner_terminators(slot, terminator) > 0)
}

fn spans_of(matcher: &Matcher) -> Vec<Span> {
    vec![Span::NONE; matcher.found().len()]
}

/// The fields that the matcher finds, as `walked` returns them.
fn found(matcher: &Matcher, line: &[u8]) -> Option<Vec<(String, FieldType, ByteRange)>> {
    let mut spans = spans_of(matcher);
    matcher.split(line, &mut spans).ok()?;
    let fields = matcher.found().iter().zip(spans).filter(|(_, span)| span.is_some());
    let place = |span: Span| (span.start(), span.end());
    Some(fields.map(|(one, span)| (one.name.to_string(), one.read.clone(), place(span))).collect())
}

/// Sorts fields by position: alternatives that share fields list them in another order.
fn sorted(mut fields: Vec<(String, FieldType, ByteRange)>) -> Vec<(String, FieldType, ByteRange)> {
    fields.sort_by(|one, other| (one.2, &one.0).cmp(&(other.2, &other.0)));
    fields
}

#[test]
fn the_matcher_agrees_with_the_naive_one() {
    let pasted = PASTED.iter().map(|(text, example)| (vec![*text], *example));
    let named = templates().map(|(_, example, texts)| (texts.to_vec(), example));
    let columns = COLUMNS.iter().map(|(count, text, example)| {
        let fast = compile(&[text]);
        assert_eq!(fast.columns.as_ref().map(FastColumns::len), Some(*count), "{text}");
        let split = |columns: &FastColumns| columns.split(example.as_bytes(), &mut spans_of(&fast));
        assert!(fast.columns.as_ref().is_some_and(split), "{text}");
        (vec![*text], *example)
    });
    let all = pasted.chain(columns).chain(named).map(|(texts, example)| (texts, example, false));
    let raw = PASTED.iter().map(|(text, example)| (vec![*text], *example, true));
    for (texts, example, raw) in all.chain(raw) {
        let mut templates = parsed(&texts);
        for template in &mut templates {
            template.raw = raw;
        }
        let fast = Matcher::either(&templates).unwrap();
        assert!(walked(&templates, example.as_bytes()).is_some(), "{example}");
        let mut runner =
            proptest::test_runner::TestRunner::new(crate::ground::profile::cases(5_000));
        let result = runner.run(&broken(example), |line| {
            let found = found(&fast, &line).map(sorted);
            let walked = walked(&templates, &line).map(sorted);
            prop_assert_eq!(found, walked, "{}", line.escape_ascii());
            Ok(())
        });
        assert!(result.is_ok(), "{texts:?}\n{result:?}");
    }
}
