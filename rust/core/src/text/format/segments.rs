//! Splits a line into labeled segments, to explain how it was parsed.

use super::named::Definition;
use super::prefix::prefix_end;
use super::spec::parse_template;
use super::template::{self, Blanks, Part, Slot, Syntax, Template};
use super::{Format, Matcher, Span};

/// A segment of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) what: SegmentKind,
    /// The name of a field, else empty.
    pub(crate) name: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentKind {
    Field,
    /// The prefix of a log collector.
    Prefix,
    /// Text that every line of the format has there.
    Literal,
    /// Any text that is not a field.
    Skipped,
}

impl SegmentKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Prefix => "prefix",
            Self::Literal => "literal",
            Self::Skipped => "passed over",
        }
    }
}

impl Format {
    /// The alternatives, of which a line matches one.
    pub(crate) fn alternatives(&self) -> &[Self] {
        match &self.0.matcher {
            Matcher::Either(formats) => formats,
            _ => &[],
        }
    }

    /// The segments of a line that matches the format, in order. Records have only fields.
    pub(crate) fn segments(&self, line: &[u8], offset: usize) -> Vec<Segment> {
        let mut spans = vec![Span::NONE; self.0.found.len()];
        let rest = line.get(offset..).unwrap_or_default();
        if self.split(rest, &mut spans).is_err() {
            return Vec::new();
        }
        let mut pieces = SegmentBuilder { line, offset: 0, taken: Vec::new() };
        pieces.take(offset, SegmentKind::Prefix);
        pieces.take(
            offset + 3 * usize::from(rest.starts_with(b"\xef\xbb\xbf")),
            SegmentKind::Skipped,
        );
        let by_hand = matches!(
            self.0.matcher,
            Matcher::Combined | Matcher::Common | Matcher::Vhost | Matcher::Classic
        );
        let mut found: Vec<_> =
            spans.iter().zip(&self.0.found).filter(|one| one.0.is_some()).collect();
        found.sort_by_key(|(span, _)| (span.start(), span.end()));
        let is_record = !by_hand && !matches!(self.0.matcher, Matcher::Template(_));
        for (span, field) in found {
            let (start, end) = (offset + span.start(), offset + span.end());
            if !is_record {
                pieces.between(start, by_hand, false);
            }
            let what =
                if field.name.is_empty() { SegmentKind::Skipped } else { SegmentKind::Field };
            pieces.taken.push(Segment { start, end, what, name: field.name.clone() });
            pieces.offset = end;
        }
        if !is_record {
            pieces.between(line.len(), by_hand, true);
        }
        pieces.taken
    }

    /// How much of a line matches the format, if it stops matching at this byte.
    pub(crate) fn partial_match(&self, line: &[u8], byte: usize) -> PartialMatch {
        let definition =
            Self::named().find(|named| named.name == self.spec()).map(|one| &one.definition);
        let texts = match definition {
            Some(Definition::Template(text)) => vec![*text],
            Some(Definition::Either(texts)) => texts.to_vec(),
            Some(Definition::Combined) => vec![COMBINED],
            Some(Definition::VhostCombined) => vec![VHOST_COMBINED],
            Some(_) => Vec::new(),
            None => vec![self.spec()],
        };
        let is_json = matches!(self.0.matcher, Matcher::Json(_));
        let begins = line.trim_ascii_start().starts_with(b"{");
        let mut partial =
            PartialMatch { matched: if is_json && begins { BRACE } else { 0 }, part: None };
        for text in texts {
            let Some(mut template) = parse_template(text) else { continue };
            if definition.is_some() {
                template.blanks = Blanks::Runs;
            }
            let Ok(matcher) = template::Matcher::new(&template) else { continue };
            // Of several readings that fail, no spans are left.
            let one = Template { blanks: Blanks::Runs, ..template.clone() };
            let Ok(counting) = template::Matcher::new(&one) else { continue };
            let mut spans = vec![Span::NONE; matcher.found().len()];
            for offset in [0, prefix_end(line).unwrap_or(0)] {
                let rest = &line[offset..];
                let split = matcher.split_traced(rest, &mut spans);
                let Err((reject, part)) = split else { continue };
                if let Err((_, part)) = counting.split_traced(rest, &mut spans) {
                    let typed = count_typed_fields(&template, part, rest, &spans);
                    partial.matched = partial.matched.max(typed);
                }
                if partial.part.is_none()
                    && offset + reject.byte() == byte
                    && definition.is_none_or(Definition::is_template)
                {
                    partial.part = Some((text.to_owned(), part_range(text, &template, part)));
                }
            }
        }
        partial
    }
}

/// How much of a line matches a format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartialMatch {
    /// A score: the number of typed fields before the byte. The format with the highest score is
    /// the closest.
    pub(crate) matched: usize,
    /// The text of a template, and the range in it of the part that does not match.
    pub(crate) part: Option<(String, (usize, usize))>,
}

/// The score of an opening brace for JSON: few lines of other formats begin with one.
const BRACE: usize = 3;

const COMBINED: &str =
    r#"{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#;

const VHOST_COMBINED: &str =
    r#"{vhost}:{port} {host} {ident} {user} [{time}] "{request}" {status} {size}"#;

/// Counts the fields before a part that have a typed syntax and contain a digit.
fn count_typed_fields(template: &Template, part: usize, line: &[u8], spans: &[Span]) -> usize {
    let slots = template.parts.iter().take(part).filter_map(|part| match part {
        Part::Field(slot) => Some(slot),
        Part::Literal(_) => None,
    });
    let is_typed = |slot: &Slot, span: &Span| {
        let text = span.of(line).unwrap_or_default();
        !matches!(slot.syntax, Syntax::Word | Syntax::Free) && text.iter().any(u8::is_ascii_digit)
    };
    slots.zip(spans).filter(|(slot, span)| is_typed(slot, span)).count()
}

struct SegmentBuilder<'a> {
    line: &'a [u8],
    offset: usize,
    taken: Vec<Segment>,
}

impl SegmentBuilder<'_> {
    fn take(&mut self, end: usize, what: SegmentKind) {
        if self.offset < end {
            self.taken.push(Segment { start: self.offset, end, what, name: "".into() });
            self.offset = end;
        }
    }

    /// Adds the segments between two fields, or after the last.
    fn between(&mut self, end: usize, by_hand: bool, last: bool) {
        let between = self.line.get(self.offset..end).unwrap_or_default();
        let is_frame = |byte: &u8| byte.is_ascii_whitespace() || b"\"[]".contains(byte);
        let start = self.offset;
        if by_hand {
            let Some(first) = between.iter().position(|byte| !is_frame(byte)) else {
                return self.take(end, SegmentKind::Literal);
            };
            let after = between.iter().rposition(|byte| !is_frame(byte)).unwrap_or(first) + 1;
            self.take(start + first, SegmentKind::Literal);
            self.take(start + after, SegmentKind::Skipped);
        } else if last {
            // Lines of an open-ended format continue after a blank.
            let blank = between.iter().position(|byte| matches!(byte, b' ' | b'\t'));
            self.take(start + blank.unwrap_or(between.len()), SegmentKind::Literal);
            self.take(end, SegmentKind::Skipped);
        }
        self.take(end, SegmentKind::Literal);
    }
}

/// The range of a template part in the template's text; the end of the text for the end of the
/// line.
fn part_range(text: &str, template: &Template, part: usize) -> (usize, usize) {
    let slot = |at: usize| match template.parts.get(at) {
        Some(Part::Field(slot)) => Some(slot.written),
        _ => None,
    };
    if let Some(range) = slot(part) {
        return range;
    }
    let start = part.checked_sub(1).and_then(slot).map_or(0, |before| before.1);
    let end = slot(part + 1).map_or(text.len(), |after| after.0).max(start);
    match template.parts.get(part) {
        Some(Part::Literal(literal)) => {
            // The quotes around a pasted text are not part of the format.
            let between = text.as_bytes().get(start..end).unwrap_or_default();
            if part > 0 && between.starts_with(literal) {
                (start, start + literal.len())
            } else if between.ends_with(literal) {
                (end - literal.len(), end)
            } else {
                (start, end)
            }
        }
        _ => match template.parts.len().checked_sub(1) {
            Some(last) => {
                let (_, end) = part_range(text, template, last);
                (end, end)
            }
            None => (end, end),
        },
    }
}
