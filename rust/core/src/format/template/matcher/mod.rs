//! Runs a template over a line: finds where its fields stand.
//!
//! A line is read from the left. A field ends at the first place where what follows it fits: the
//! literal behind it and, as a look ahead, the fields behind that which are known by their look,
//! with their literals. So nothing that a client wrote can move a field to the left of it. The
//! look ahead stops before the first field that may be long, and before one that could hold the
//! byte which is searched for; so each byte is looked at a bounded number of times.
//!
//! Between quotes a backslash escapes, as Apache and nginx write it. Loggers that do not escape
//! are survived: where no unescaped quote closes a field an escaped one may (`"ua\"`).

mod compile;
mod find;
mod head;
mod shapes;

use super::{Part, Template, TemplateError, braces};
use crate::format::parsed::{Found, Reject, Span};
use crate::format::read::Read;
use crate::format::time::TimeFormat;
use find::{is_blank, skip_blanks, word_end};
use head::Head;
use shapes::TimeShape;

/// A compiled template, or several that are tried in order.
#[derive(Debug)]
pub(crate) struct Matcher {
    found: Vec<Found>,
    programs: Vec<Program>,
}

/// A template as steps. The last two are `End` and `Done`.
#[derive(Debug)]
struct Program {
    steps: Vec<Step>,
    open: bool,
    /// Whether tabs at the end of a line are blanks, and not columns without a value.
    trims_tabs: bool,
    /// Whether it begins as the one before it does, up to the request.
    begins_alike: bool,
}

#[derive(Debug, PartialEq)]
struct Step {
    op: Op,
    /// The part of the template that it comes from.
    part: usize,
    /// Whether the line may end here instead.
    optional: bool,
}

/// Numbers of fields are places in the list of spans.
#[derive(Debug, PartialEq)]
enum Op {
    /// Bytes of a literal; a blank is one or more.
    Text(Box<[u8]>),
    Blank,
    /// The quote before a request, or a bare `-` in place of it. A `Quoted` follows.
    Open,
    /// A field that is known by its look.
    Known {
        field: usize,
        look: Look,
        may_be_empty: bool,
    },
    /// `Blank`, a status, `Blank`, an int: what nearly all formats have, in one go.
    StatusAndSize {
        status: usize,
        size: usize,
    },
    End,
    /// All behind an opening quote, up to and with the closing one.
    Quoted {
        field: usize,
        close: &'static str,
        behind: Behind,
    },
    /// Up to a blank or the end.
    Word {
        field: usize,
    },
    /// Words, each but the last with a comma behind it or, as upstreams are listed, a lone colon.
    List {
        field: usize,
        colons: bool,
    },
    /// Up to where the text behind it stands.
    Until(Until),
    /// All the rest of the line.
    Rest {
        field: usize,
    },
    Head(Head),
    Done,
}

#[derive(Debug, PartialEq)]
enum Look {
    Status,
    Int,
    Number,
    Numbers,
    Time(TimeShape),
}

/// What the byte behind a closing quote has to be; turns most quotes of a hostile line away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Behind {
    /// A blank, or the end of the line.
    Blank,
    /// The end of the line.
    End,
    Byte(u8),
    Any,
}

/// A field that ends where its text is followed by another.
#[derive(Debug, PartialEq)]
struct Until {
    field: usize,
    /// The byte to search for: the first of the literal behind the field that is no blank.
    anchor: Option<u8>,
    /// Whether blanks stand before it.
    blank_before: bool,
    /// Whether the field ends at a blank in any case.
    word: bool,
    may_be_empty: bool,
    /// Whether the literal before it may have taken the blank behind it too.
    may_lack_blank: bool,
    /// The step before which the look ahead stops.
    limit: usize,
    /// What the byte behind the anchor has to be, where that can be told.
    second: Option<Second>,
}

/// Turns most anchors of a hostile line away.
#[derive(Debug, PartialEq)]
struct Second {
    may_be: Box<[bool; 256]>,
    /// The step that does not fit with any other byte.
    step: usize,
}

impl Second {
    fn rules_out(&self, line: &[u8], at: usize, furthest: Option<Cursor>) -> bool {
        // The first failure is looked at, for it is told.
        furthest.is_some_and(|known| known.step >= self.step)
            && line.get(at).is_some_and(|byte| !self.may_be[usize::from(*byte)])
    }
}

/// A place in the line, and the step that is next there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    at: usize,
    step: usize,
}

/// Where to go on, or the step that did not fit and where.
type Reached = Result<Cursor, Cursor>;

/// The failure of several that came furthest.
fn further(one: Option<Cursor>, other: Cursor) -> Option<Cursor> {
    one.filter(|one| one.step >= other.step).or(Some(other))
}

impl Matcher {
    /// Compiles a template.
    pub(crate) fn new(template: &Template) -> Result<Self, TemplateError> {
        Self::either(std::slice::from_ref(template))
    }

    /// Compiles templates of which a line is the first that fits. They share the fields that they
    /// have in common.
    pub(crate) fn either(templates: &[Template]) -> Result<Self, TemplateError> {
        let mut found = Vec::new();
        let mut programs: Vec<Program> = Vec::new();
        for template in templates {
            let mut program = compile::compile(template, &mut found)?;
            program.begins_alike = programs.last().is_some_and(|last| program.begins_as(last));
            programs.push(program);
        }
        Ok(Self { found, programs })
    }

    /// The fields, in the order of the spans: one for each of the template, those that are passed
    /// over included.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }

    /// Finds the fields of a line, or says where it stops being one.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
        self.split_traced(line, spans).map_err(|(reject, _)| reject)
    }

    /// The same, and tells the part of the template that did not fit; one more than there are
    /// where it is the end. Of several templates it is that which came furthest.
    pub(crate) fn split_traced(
        &self,
        line: &[u8],
        spans: &mut [Span],
    ) -> Result<(), (Reject, usize)> {
        let mut furthest = (Reject::new(0, ""), 0);
        let mut failed_at_once = false;
        for program in &self.programs {
            if failed_at_once && program.begins_alike {
                continue;
            }
            if self.programs.len() > 1 {
                spans.fill(Span::NONE);
            }
            let Err(failed) = program.split(line, spans) else { return Ok(()) };
            failed_at_once = program.failed_in_head(failed, spans);
            let reject = program.reject(line, failed);
            if furthest.0.expected().is_empty() || reject.0.byte() > furthest.0.byte() {
                furthest = reject;
            }
        }
        Err(furthest)
    }
}

/// Whether a template is just the combined log format: host, ident, user, time, request, status,
/// size, referer, agent, of the types that these have in all formats.
pub(crate) fn is_combined(template: &Template) -> bool {
    let usual = [
        r#"{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#,
        r#"{host} {} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#,
        r#"{host} - {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}""#,
    ];
    let last = template.parts.len().saturating_sub(1);
    let same = |(at, (part, usual)): (usize, (&Part, &Part))| match (part, usual) {
        (Part::Literal(text), Part::Literal(usual)) if at == last => {
            text.trim_ascii_end() == &usual[..]
        }
        (Part::Literal(text), Part::Literal(usual)) => text == usual,
        (Part::Field(slot), Part::Field(usual)) => {
            let is_clf = slot.name == "time" && slot.read == Read::Time(TimeFormat::Clf);
            slot.name == usual.name && (slot.read == usual.read || is_clf)
        }
        _ => false,
    };
    usual.iter().filter_map(|usual| braces::compile(usual).ok()).any(|usual| {
        usual.parts.len() == template.parts.len()
            && template.parts.iter().zip(&usual.parts).enumerate().all(same)
    })
}

impl Program {
    /// Whether it has the same head as another one, and the same request behind it.
    fn begins_as(&self, other: &Self) -> bool {
        let (Some(Op::Head(head)), Some(Op::Head(others))) = (self.op(0), other.op(0)) else {
            return false;
        };
        let begin = self.steps.get(..head.request);
        head == others
            && begin.is_some()
            && begin == other.steps.get(..head.request)
            && self.trims_tabs == other.trims_tabs
    }

    fn op(&self, step: usize) -> Option<&Op> {
        self.steps.get(step).map(|step| &step.op)
    }

    /// Whether nothing behind the request had a say in the failure.
    fn failed_in_head(&self, failed: Cursor, spans: &[Span]) -> bool {
        match self.op(0) {
            Some(Op::Head(head)) => failed.step < head.request && !spans[head.time].is_some(),
            _ => false,
        }
    }

    fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<(), Cursor> {
        let (start, end) = self.trim(line);
        let line = &line[..end];
        let mut cursor = Cursor { at: start, step: 0 };
        loop {
            cursor = match &self.steps[cursor.step].op {
                Op::Quoted { field, behind, .. } => {
                    self.quoted(line, cursor, *field, *behind, spans)?
                }
                Op::Until(until) => self.until(line, cursor, until, spans)?,
                Op::Head(head) => self.head(line, cursor, head, spans)?,
                Op::Word { field } => {
                    let end = word_end(line, cursor.at);
                    word(*field, cursor, end, spans)?
                }
                Op::List { field, colons } => {
                    let end = list_end(line, cursor.at, *colons);
                    word(*field, cursor, end, spans)?
                }
                Op::Rest { field } => {
                    spans[*field] = Span::new(cursor.at, line.len());
                    Cursor { at: line.len(), step: cursor.step + 1 }
                }
                Op::Done => return Ok(()),
                _ => self.run(line, cursor, usize::MAX, spans)?,
            };
        }
    }

    fn trim(&self, line: &[u8]) -> (usize, usize) {
        let start = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let is_end = |byte| is_blank(byte) && (byte != b'\t' || self.trims_tabs);
        let mut end = line.len();
        while end > start && is_end(line[end - 1]) {
            end -= 1;
        }
        let line = &line[..end];
        let blanks = line[start..].iter().take_while(|byte| is_end(**byte)).count();
        (start + blanks, end)
    }

    /// Takes literals and fields that are known by their look, up to a field that has to be
    /// searched for, or the limit.
    fn run(&self, line: &[u8], cursor: Cursor, limit: usize, spans: &mut [Span]) -> Reached {
        let Cursor { mut at, mut step } = cursor;
        while step < limit {
            let this = &self.steps[step];
            let next = match &this.op {
                Op::Blank => blanks(line, at),
                Op::Text(text) => literal(line, at, text),
                Op::StatusAndSize { status, size } => {
                    status_and_size(line, at, [*status, *size], spans)
                }
                Op::Known { field, look, may_be_empty } => {
                    let end = look.end(line, at).or(may_be_empty.then_some(at));
                    spans[*field] = Span::new(at, end.unwrap_or(at));
                    end
                }
                Op::Open => match line.get(at) {
                    Some(b'"') => Some(at + 1),
                    Some(b'-') => {
                        if let Op::Quoted { field, .. } = &self.steps[step + 1].op {
                            spans[*field] = Span::new(at, at + 1);
                        }
                        step += 1;
                        Some(at + 1)
                    }
                    _ => None,
                },
                Op::End => self.ends(line, at).then_some(at),
                _ => break,
            };
            match next {
                Some(next) => (at, step) = (next, step + 1),
                None if this.optional && self.ends(line, at) => {
                    for step in &self.steps[step..] {
                        step.clear(spans);
                    }
                    return Ok(Cursor { at, step: self.steps.len() - 1 });
                }
                None => return Err(Cursor { at, step }),
            }
        }
        Ok(Cursor { at, step })
    }

    /// Whether a line may end here.
    fn ends(&self, line: &[u8], at: usize) -> bool {
        match line.get(at) {
            None => true,
            Some(byte) => self.open && matches!(byte, b' ' | b'\t'),
        }
    }

    /// The field up to the first closing quote: an unescaped one if any fits.
    fn quoted(
        &self,
        line: &[u8],
        cursor: Cursor,
        field: usize,
        behind: Behind,
        spans: &mut [Span],
    ) -> Reached {
        let step = cursor.step + 1;
        let mut at = cursor.at;
        let mut escaped = None;
        let mut furthest = None;
        while let Some(place) = find::either(line, at, b'"', b'\\') {
            at = place + 1;
            if line[place] == b'"' {
                if !behind.may_be(line, at) {
                    continue;
                }
                match self.run(line, Cursor { at, step }, usize::MAX, spans) {
                    Ok(reached) => {
                        spans[field] = Span::new(cursor.at, place);
                        return Ok(reached);
                    }
                    Err(failed) => furthest = further(furthest, failed),
                }
            } else if let Some(next) = line.get(at) {
                at += 1;
                if *next == b'"'
                    && escaped.is_none()
                    && behind.may_be(line, at)
                    && self.run(line, Cursor { at, step }, usize::MAX, spans).is_ok()
                {
                    escaped = Some(at);
                }
            }
        }
        if let Some(at) = escaped {
            // What was tried since may have set spans behind the field.
            let reached = self.run(line, Cursor { at, step }, usize::MAX, spans)?;
            spans[field] = Span::new(cursor.at, at - 1);
            return Ok(reached);
        }
        // Behind a quote that is not followed by what follows this field, the field goes on.
        let failed = furthest.filter(|failed| self.reject(line, *failed).1 > self.steps[step].part);
        Err(failed.unwrap_or(Cursor { at: line.len(), step: cursor.step }))
    }

    fn until(&self, line: &[u8], cursor: Cursor, until: &Until, spans: &mut [Span]) -> Reached {
        let Cursor { at: start, step } = cursor;
        let line_end = if until.word { word_end(line, start) } else { line.len() };
        let mut furthest = None;
        let mut from = start;
        loop {
            let place = match until.anchor {
                Some(anchor) => find::byte(line, from, anchor).filter(|place| *place < line_end),
                None => Some(word_end(line, from)).filter(|place| *place < line.len()),
            };
            let Some(place) = place else { break };
            from = if until.anchor.is_some() { place + 1 } else { skip_blanks(line, place) };
            if until.second.as_ref().is_some_and(|second| second.rules_out(line, from, furthest)) {
                continue;
            }
            let Some((end, at)) = until.ends_before(line, start, place) else { continue };
            match self.run(line, Cursor { at, step: step + 1 }, until.limit, spans) {
                Ok(reached) => {
                    spans[until.field] = Span::new(start, end);
                    return Ok(reached);
                }
                Err(failed) => furthest = further(furthest, failed),
            }
        }
        if self.steps[step + 1].optional && start < line.len() && line_end == line.len() {
            spans[until.field] = Span::new(start, line_end);
            return self.run(line, Cursor { at: line_end, step: step + 1 }, usize::MAX, spans);
        }
        Err(furthest.unwrap_or(Cursor { at: line_end, step: step + 1 }))
    }

    /// What to tell of a step that did not fit: where, what was expected, and its part.
    fn reject(&self, line: &[u8], failed: Cursor) -> (Reject, usize) {
        let Step { op, part, .. } = &self.steps[failed.step];
        let at = failed.at;
        let line = &line[..self.trim(line).1];
        let (at, expected, part) = match op {
            Op::Blank => (at, name(b' '), *part),
            Op::Text(text) => {
                let (at, byte) = mismatch(line, at, text);
                (at, name(byte), *part)
            }
            Op::StatusAndSize { .. } => {
                // The part is that of the blank before the status.
                let (at, which) = status_and_size_stop(line, at);
                let expected =
                    [name(b' '), Look::Status.name(), name(b' '), Look::Int.name()][which];
                (at, expected, *part + which)
            }
            Op::Known { look, .. } => (at, look.name(), *part),
            Op::Open => (at, "the quote that opens the request", *part),
            Op::Quoted { close, .. } => (at, *close, *part),
            Op::Head(_) if matches!(line.get(at), None | Some(b'[')) => {
                (at, "a time in brackets, and the request", *part)
            }
            Op::Head(_) => (at, "a dash, and the user in front of the time", *part),
            Op::Word { .. } | Op::List { .. } | Op::Until(_) | Op::Rest { .. } => {
                (at, "a word", *part)
            }
            Op::End | Op::Done if self.open => (at, "a blank or the end of the line", *part),
            Op::End | Op::Done => (at, "the end of the line", *part),
        };
        (Reject::new(at, expected), part)
    }
}

impl Step {
    /// Makes the fields of a step that was not reached absent.
    fn clear(&self, spans: &mut [Span]) {
        match &self.op {
            Op::Known { field, .. }
            | Op::Quoted { field, .. }
            | Op::Word { field }
            | Op::List { field, .. }
            | Op::Until(Until { field, .. })
            | Op::Rest { field } => spans[*field] = Span::NONE,
            Op::StatusAndSize { status, size } => {
                spans[*status] = Span::NONE;
                spans[*size] = Span::NONE;
            }
            Op::Text(_) | Op::Blank | Op::Open | Op::End | Op::Head(_) | Op::Done => {}
        }
    }
}

impl Look {
    fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Status => shapes::status(line, at),
            Self::Int => shapes::int(line, at),
            Self::Number => shapes::number(line, at),
            Self::Numbers => shapes::numbers(line, at),
            Self::Time(shape) => shape.end(line, at),
        }
    }

    /// Whether such a field may begin with this byte.
    fn may_begin_with(&self, byte: u8) -> bool {
        match self {
            Self::Status | Self::Int => byte.is_ascii_digit() || byte == b'-',
            Self::Number | Self::Numbers => byte.is_ascii_digit() || b"-.".contains(&byte),
            Self::Time(shape) => shape.has(byte),
        }
    }

    /// Whether a byte may be in such a field, so that a search for it would find it there.
    fn has(&self, byte: Option<u8>) -> bool {
        let byte = byte.unwrap_or(b' ');
        match self {
            Self::Status | Self::Int => byte.is_ascii_digit() || byte == b'-',
            Self::Number => byte.is_ascii_digit() || b"-+.eE".contains(&byte),
            Self::Numbers => byte.is_ascii_digit() || b"-.,: ".contains(&byte),
            Self::Time(shape) => shape.has(byte),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Status => "a status of three digits",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::Numbers => "a number, or several with commas between them",
            Self::Time(_) => "a time",
        }
    }
}

impl Behind {
    fn may_be(self, line: &[u8], at: usize) -> bool {
        match (line.get(at), self) {
            // Whether the line may end here is asked later.
            (None, _) | (_, Self::Any) => true,
            (Some(byte), Self::Blank) => is_blank(*byte),
            (Some(byte), Self::Byte(wanted)) => *byte == wanted,
            (Some(_), Self::End) => false,
        }
    }
}

impl Until {
    /// Where the field ends if its anchor is at this place, and where the literal behind begins.
    fn ends_before(&self, line: &[u8], start: usize, place: usize) -> Option<(usize, usize)> {
        let mut end = place;
        if self.blank_before {
            while end > start && is_blank(line[end - 1]) {
                end -= 1;
            }
            if end == place {
                let lacks = self.may_lack_blank && place == start && start > 0;
                return (lacks && is_blank(line[start - 1])).then(|| (start, start - 1));
            }
        }
        (end > start || self.may_be_empty).then_some((end, end))
    }
}

/// The place behind a literal, if it stands there.
#[inline]
fn literal(line: &[u8], mut at: usize, text: &[u8]) -> Option<usize> {
    for &byte in text {
        if byte == b' ' {
            at = blanks(line, at)?;
        } else if line.get(at) == Some(&byte) {
            at += 1;
        } else {
            return None;
        }
    }
    Some(at)
}

/// Where a literal that does not stand there begins to differ, and its byte there.
fn mismatch(line: &[u8], start: usize, text: &[u8]) -> (usize, u8) {
    let mut at = start;
    for (index, byte) in text.iter().enumerate() {
        match literal(line, start, &text[..=index]) {
            Some(end) => at = end,
            None => return (at, *byte),
        }
    }
    (at, b' ')
}

/// A word that ends here, if it is one.
fn word(field: usize, cursor: Cursor, end: usize, spans: &mut [Span]) -> Reached {
    if cursor.at == end {
        return Err(cursor);
    }
    spans[field] = Span::new(cursor.at, end);
    Ok(Cursor { at: end, step: cursor.step + 1 })
}

/// The place behind one blank or more.
#[inline]
fn blanks(line: &[u8], at: usize) -> Option<usize> {
    if !is_blank(*line.get(at)?) {
        return None;
    }
    Some(skip_blanks(line, at + 1))
}

fn status_and_size(
    line: &[u8],
    at: usize,
    fields: [usize; 2],
    spans: &mut [Span],
) -> Option<usize> {
    let status = blanks(line, at)?;
    let status_end = shapes::status(line, status)?;
    let size = blanks(line, status_end)?;
    let size_end = shapes::int(line, size)?;
    spans[fields[0]] = Span::new(status, status_end);
    spans[fields[1]] = Span::new(size, size_end);
    Some(size_end)
}

/// Where status and size stop: the place, and which of the four it is.
fn status_and_size_stop(line: &[u8], mut at: usize) -> (usize, usize) {
    let ends = [blanks, shapes::status, blanks];
    for (which, end) in ends.iter().enumerate() {
        match end(line, at) {
            Some(end) => at = end,
            None => return (at, which),
        }
    }
    (at, 3)
}

/// The end of a list of words that begins here.
fn list_end(line: &[u8], start: usize, colons: bool) -> usize {
    let mut end = word_end(line, start);
    loop {
        let next = skip_blanks(line, end);
        let next_end = word_end(line, next);
        if next == next_end {
            return end;
        }
        let goes_on = end > start && line[end - 1] == b','
            || colons && (&line[next..next_end] == b":" || line[..end].ends_with(b" :"));
        if !goes_on {
            return end;
        }
        end = next_end;
    }
}

/// What a byte of a literal is called.
fn name(byte: u8) -> &'static str {
    match byte {
        b' ' => "a blank",
        b'\t' => "a tab",
        b'"' => "a quote",
        b'\'' => "a single quote",
        b'[' => "an opening bracket",
        b']' => "a closing bracket",
        b'(' => "an opening parenthesis",
        b')' => "a closing parenthesis",
        b'{' => "an opening brace",
        b'}' => "a closing brace",
        b'<' => "an opening angle bracket",
        b'>' => "a closing angle bracket",
        b',' => "a comma",
        b';' => "a semicolon",
        b':' => "a colon",
        b'|' => "a bar",
        b'/' => "a slash",
        b'-' => "a dash",
        b'=' => "an equals sign",
        b'.' => "a point",
        _ => "the text that the format has here",
    }
}

#[cfg(test)]
mod against;
#[cfg(test)]
mod tests;
