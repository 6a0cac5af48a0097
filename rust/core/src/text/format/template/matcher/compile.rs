//! Compiles templates to steps.

use super::super::{Blanks, Part, Slot, Syntax, Template, TemplateError};
use super::runs::{Role, is_closed, is_list, roles};
use super::scanners::{Scanner, TimeScanner};
use super::steps::{
    Delimiter, EndRule, Head, InnerQuotes, NextBytes, Op, Prefilter, Program, Quoted, QuotesOfText,
    SearchFrom, Step, Until,
};
use super::{fast_path, lookahead};
use crate::text::format::field_type::{Encoding, FieldType};
use crate::text::format::identity::Check;
use crate::text::format::parsed::FoundField;
use crate::text::format::time::TimeFormat;
use crate::text::format::whitespace::is_blank;

/// How a template is compiled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Whether a blank is exactly one.
    pub(super) exact: bool,
    /// Whether a user before the time is one word: see `runs::roles`. `None` if the neighbours of a
    /// field do not matter, as in formats with a name.
    pub(super) user_is_word: Option<bool>,
}

/// Compiles one of several templates that share a list of fields.
pub(super) fn compile(
    template: &Template,
    reading: Reading,
    found: &mut Vec<FoundField>,
) -> Result<Program, TemplateError> {
    check(template)?;
    let Reading { exact, user_is_word } = reading;
    let parts = if exact { template.parts.clone() } else { normalized(template) };
    let known = found.len();
    let roles = match user_is_word {
        Some(user_is_word) if template.may_end_before.is_empty() => {
            roles(&parts, user_is_word, template.open_ended)
        }
        _ => vec![None; parts.len()],
    };
    let mut compiler = Compiler {
        parts: &parts,
        exact,
        is_pasted: user_is_word.is_some(),
        quotes: match (template.raw, template.blanks) {
            (true, _) => QuotesOfText::None,
            (false, Blanks::Exact) => QuotesOfText::Escaped,
            (false, _) => QuotesOfText::Any,
        },
        roles: &roles,
        may_end_before: &template.may_end_before,
        steps: Vec::new(),
        found,
        known,
        taken: Vec::new(),
    };
    for part in compiler.head()..parts.len() {
        compiler.part(part);
    }
    let end = parts.len();
    compiler.push(Op::End, end);
    compiler.push(Op::Done, end);
    let mut steps = compiler.steps;
    join_status_and_size(&mut steps);
    if !template.raw {
        fast_path::insert(&mut steps);
    }
    lookahead::fill(&mut steps, template.open_ended);
    let Template { open_ended, trailing_blanks, raw, .. } = *template;
    Ok(Program { steps, open_ended, exact, trailing_blanks, raw })
}

/// Rejects a template without fields, or with adjacent fields, whose border would be ambiguous.
/// Only a status may be followed by a field at once, because its length is fixed.
fn check(template: &Template) -> Result<(), TemplateError> {
    for pair in template.parts.windows(2) {
        let [Part::Field(first), Part::Field(second)] = pair else { continue };
        if first.syntax == Syntax::Status {
            continue;
        }
        let names = match (&*first.name, &*second.name) {
            ("", "") => "two fields".to_owned(),
            ("", name) | (name, "") => format!("{name} and another field"),
            (first, second) => format!("{first} and {second}"),
        };
        return Err(TemplateError {
            start: first.written.0,
            end: second.written.1,
            message: format!(
                "{names} are adjacent, so the end of the first is ambiguous; put a space or \
                 another character between them, or make them one field"
            ),
        });
    }
    if template.parts.iter().any(|part| matches!(part, Part::Field(_))) {
        Ok(())
    } else {
        let message = "a format needs at least one field".to_owned();
        Err(TemplateError { start: 0, end: 0, message })
    }
}

/// The parts, with runs of blanks collapsed to one and none at either end of the line.
fn normalized(template: &Template) -> Vec<Part> {
    let last = template.parts.len().saturating_sub(1);
    let is_space = |byte: &u8| is_blank(*byte) && *byte != b'\t';
    let parts = template.parts.iter().enumerate().map(|(index, part)| {
        let Part::Literal(text) = part else { return part.clone() };
        let mut text = text.clone();
        text.iter_mut().filter(|byte| is_space(byte)).for_each(|byte| *byte = b' ');
        text.dedup_by(|next, byte| *next == b' ' && *byte == b' ');
        if index == last && text.last() == Some(&b' ') {
            text.pop();
        }
        if index == 0 && text.first() == Some(&b' ') {
            text.remove(0);
        }
        Part::Literal(text)
    });
    parts.collect()
}

struct Compiler<'a> {
    parts: &'a [Part],
    exact: bool,
    is_pasted: bool,
    /// The quotes that text at the end of a line may have.
    quotes: QuotesOfText,
    roles: &'a [Option<Role>],
    may_end_before: &'a [usize],
    steps: Vec<Step>,
    found: &'a mut Vec<FoundField>,
    /// The number of fields of the templates before this one, and those that it shares.
    known: usize,
    taken: Vec<usize>,
}

impl Compiler<'_> {
    fn push(&mut self, op: Op, part: usize) {
        let optional = self.may_end_before.contains(&part)
            && matches!(op, Op::Text(_) | Op::Blank)
            // The line may end before a literal, not within it.
            && self.steps.last().is_none_or(|step| step.part != part);
        self.steps.push(Step { op, part, optional });
    }

    /// The index of a field in the list; adds it if no earlier template has it.
    fn field(&mut self, slot: &Slot) -> usize {
        let same = (0..self.known).find(|&index| {
            let found = &self.found[index];
            *found.name == *slot.name && found.read == slot.read && !self.taken.contains(&index)
        });
        if let Some(index) = same {
            self.taken.push(index);
            return index;
        }
        self.found.push(FoundField {
            name: slot.name.as_str().into(),
            read: slot.read.clone(),
            encoding: Encoding::Raw,
        });
        self.found.len() - 1
    }

    /// Compiles `host ident user [time]` at the beginning, if the template has it, and returns the
    /// number of parts it has.
    fn head(&mut self) -> usize {
        let Some((host, ident, user, time)) = head_slots(self.parts) else { return 0 };
        let head = Head {
            host: self.field(host),
            ident: ident.map(|slot| self.field(slot)),
            user: self.field(user),
            time: self.field(time),
            request: usize::MAX,
            next_bytes: NextBytes::ANY,
            prefilter: Prefilter::default(),
        };
        self.push(Op::Head(head), 0);
        if ident.is_some() { 7 } else { 5 }
    }

    fn part(&mut self, part: usize) {
        match &self.parts[part] {
            Part::Literal(text) => self.literal(part, text),
            Part::Field(slot) => {
                let op = self.slot(part, slot);
                self.push(op, part);
            }
        }
    }

    fn literal(&mut self, part: usize, text: &[u8]) {
        // Some steps also match the byte that ends their field.
        let text = match self.steps.last() {
            Some(Step { op: Op::Quoted(_) | Op::Head(_), .. }) => &text[1..],
            _ => text,
        };
        // Where nothing is escaped, an empty value is empty.
        let may_be_dash = match (self.parts.get(part + 1), self.after(part + 1)) {
            (Some(Part::Field(slot)), Some(b'"')) if self.quotes != QuotesOfText::None => {
                slot.read == FieldType::Request || slot.syntax == Syntax::FreeOrDash
            }
            _ => false,
        };
        let (text, opens) = match text {
            [text @ .., b'"'] if may_be_dash => (text, true),
            _ => (text, false),
        };
        match text {
            [] => {}
            b" " => self.push(Op::Blank, part),
            _ => self.push(Op::Text(text.into()), part),
        }
        if opens {
            self.push(Op::OpenRequest, part);
        }
    }

    fn slot(&mut self, part: usize, slot: &Slot) -> Op {
        let field = self.field(slot);
        let (before, after) = (self.before(part), self.after(part));
        let pairs: &[(u8, u8)] =
            &[(b'"', b'"'), (b'\'', b'\''), (b'[', b']'), (b'(', b')'), (b'{', b'}'), (b'<', b'>')];
        let enclosed =
            matches!((before, after), (Some(one), Some(two)) if pairs.contains(&(one, two)));
        // Servers always write these.
        let is_set = matches!(&*slot.name, "size" | "bytes_out")
            || matches!(slot.syntax, Syntax::Status | Syntax::Time);
        let may_be_empty = enclosed || self.exact && !is_set;
        let known = |scanner| Op::Scanned { field, scanner, may_be_empty };
        match self.roles[part] {
            Some(Role::Word) if is_closed(self.parts, part) => {
                return Op::Until(self.until(part, field, true, self.exact));
            }
            Some(Role::Word) => return Op::Word { field },
            Some(Role::Tail) => {
                let closes = after.filter(|_| is_closed(self.parts, part));
                return Op::TailWord { field, closes };
            }
            Some(Role::List { colons }) => {
                return Op::List { field, colons, check: self.check(slot) };
            }
            Some(Role::Leaves { words, end, dash, text }) => {
                let rule = EndRule::Leaves { words, end, dash, text };
                return Op::Until(self.searched(end - 1, field, rule));
            }
            Some(Role::Only { text, whole }) => {
                return Op::Until(self.searched(part, field, EndRule::Only { text, whole }));
            }
            None => {}
        }
        match slot.syntax {
            Syntax::Status => known(Scanner::Status),
            Syntax::Int => known(Scanner::Int),
            Syntax::Signed => known(Scanner::Signed),
            Syntax::Number => known(Scanner::Number),
            Syntax::NumberWithPoint => known(Scanner::NumberWithPoint),
            Syntax::Numbers => {
                let spaced = matches!(self.parts.get(part + 1), Some(Part::Literal(text))
                    if text.starts_with(b",") && !text.starts_with(b", "));
                known(Scanner::Numbers { spaced })
            }
            Syntax::Time => known(self.time(part, slot)),
            Syntax::Word
            | Syntax::Free
            | Syntax::FreeOrDash
            | Syntax::Unquoted
            | Syntax::OneQuoted
                if before == Some(b'"') && after == Some(b'"') =>
            {
                let is_request = slot.read == FieldType::Request;
                let inner = match slot.syntax {
                    Syntax::Unquoted => InnerQuotes::None,
                    Syntax::OneQuoted => InnerQuotes::WithinField,
                    _ => InnerQuotes::Any,
                };
                let (next_bytes, prefilter) = (NextBytes::ANY, Prefilter::default());
                Op::Quoted(Quoted {
                    field,
                    is_request,
                    next_bytes,
                    prefilter,
                    quotes_after: None,
                    inner,
                })
            }
            Syntax::Cut => Op::Rest { field, quotes: QuotesOfText::None },
            Syntax::Free | Syntax::FreeOrDash | Syntax::Unquoted | Syntax::OneQuoted
                if after.is_none() =>
            {
                Op::Rest { field, quotes: self.quotes }
            }
            Syntax::Free | Syntax::FreeOrDash | Syntax::Unquoted | Syntax::OneQuoted => {
                let is_user = self.is_pasted && slot.name == "user" && after == Some(b' ');
                let rule = if is_user { EndRule::User } else { EndRule::First };
                Op::Until(Until { rule, ..self.until(part, field, false, true) })
            }
            Syntax::Word => match after {
                Some(b' ') if slot.name == "user" && self.anchor(part).is_some() => {
                    Op::Until(self.until(part, field, false, self.exact))
                }
                None | Some(b' ') if is_list(&slot.name) || slot.name.starts_with("upstream") => {
                    let colons = slot.name.starts_with("upstream");
                    Op::List { field, colons, check: self.check(slot) }
                }
                None | Some(b' ') => Op::Word { field },
                // Fields between tabs may contain blanks.
                Some(b'\t') => Op::Until(self.until(part, field, false, true)),
                Some(b':') if self.is_pasted && is_address(&slot.name) => {
                    let rule = EndRule::Address;
                    Op::Until(Until { rule, ..self.until(part, field, true, self.exact) })
                }
                Some(_) => Op::Until(self.until(part, field, true, enclosed || self.exact)),
            },
        }
    }

    fn time(&self, part: usize, slot: &Slot) -> Scanner {
        let format = match &slot.read {
            FieldType::Time(format) => Some(format),
            _ => None,
        };
        let time = TimeScanner::new(format, self.after(part), self.is_pasted);
        let next = self.parts.get(part + 2);
        let is_split = matches!(next, Some(Part::Field(next)) if next.syntax == Syntax::Time);
        Scanner::Time(if is_split { time.without_fraction() } else { time })
    }

    /// A field that is searched for by what follows another field.
    fn searched(&self, part: usize, field: usize, rule: EndRule) -> Until {
        let check = Check::Anything;
        Until { check, rule, ..self.until(part, field, false, self.exact) }
    }

    fn until(&self, part: usize, field: usize, word: bool, may_be_empty: bool) -> Until {
        let blank_before = self.after(part) == Some(b' ');
        let delimiter = |byte| Delimiter { byte, blank_before, next_bytes: NextBytes::ANY };
        let delimiter = self.anchor(part).map(delimiter);
        let check = match &self.parts[part] {
            Part::Field(slot) => self.check(slot),
            Part::Literal(_) => Check::Anything,
        };
        Until {
            field,
            check,
            delimiter,
            word,
            may_be_empty,
            limit: usize::MAX,
            search_from: SearchFrom::Start,
            prefilter: Prefilter::default(),
            rule: EndRule::First,
        }
    }

    /// What the text of a field has to be. Without a request line, the fields are only columns.
    fn check(&self, slot: &Slot) -> Check {
        let is_request =
            |part: &Part| matches!(part, Part::Field(slot) if slot.read == FieldType::Request);
        if self.parts.iter().any(is_request) { Check::of(&slot.name) } else { Check::Anything }
    }

    /// The last byte before a field.
    fn before(&self, part: usize) -> Option<u8> {
        match &self.parts[part.checked_sub(1)?] {
            Part::Literal(text) => text.last().copied(),
            Part::Field(_) => None,
        }
    }

    /// The first byte after a field.
    fn after(&self, part: usize) -> Option<u8> {
        match self.parts.get(part + 1)? {
            Part::Literal(text) => text.first().copied(),
            Part::Field(_) => None,
        }
    }

    /// The first non-blank byte of the literal after a field.
    fn anchor(&self, part: usize) -> Option<u8> {
        match self.parts.get(part + 1)? {
            Part::Literal(text) => text.iter().copied().find(|byte| *byte != b' '),
            Part::Field(_) => None,
        }
    }
}

/// Whether servers write an address into a field with this name, which may contain colons.
fn is_address(name: &str) -> bool {
    name == "host" || name.ends_with("_addr")
}

type HeadSlots<'a> = (&'a Slot, Option<&'a Slot>, &'a Slot, &'a Slot);

/// Host, ident, user and time, if the template begins with them.
fn head_slots(parts: &[Part]) -> Option<HeadSlots<'_>> {
    let (host, ident, rest) = match parts {
        [
            Part::Field(host),
            Part::Literal(one),
            Part::Field(ident),
            Part::Literal(two),
            rest @ ..,
        ] if one == b" " && two == b" " && matches!(&*ident.name, "" | "ident") => {
            (host, Some(ident), rest)
        }
        [Part::Field(host), Part::Literal(dash), rest @ ..] if dash == b" - " => (host, None, rest),
        _ => return None,
    };
    let [Part::Field(user), Part::Literal(open), Part::Field(time), Part::Literal(close), ..] =
        rest
    else {
        return None;
    };
    let usual = host.name == "host"
        && host.syntax == Syntax::Word
        && ident.is_none_or(|ident| ident.syntax == Syntax::Word)
        && user.name == "user"
        && open == b" ["
        && close.first() == Some(&b']')
        && matches!(time.read, FieldType::Time(TimeFormat::Clf | TimeFormat::Any));
    usual.then_some((host, ident, user, time))
}

/// Replaces each adjacent status and size, with the blanks before them, by one step.
fn join_status_and_size(steps: &mut Vec<Step>) {
    let mut at = 0;
    while at + 4 <= steps.len() {
        let [
            Step { op: Op::Blank, optional: false, part },
            Step { op: Op::Scanned { field: status, scanner: Scanner::Status, .. }, .. },
            Step { op: Op::Blank, optional: false, .. },
            Step {
                op: Op::Scanned { field: size, scanner: Scanner::Int, may_be_empty: false },
                ..
            },
        ] = &steps[at..at + 4]
        else {
            at += 1;
            continue;
        };
        let op = Op::StatusAndSize { status: *status, size: *size };
        let joined = Step { op, part: *part, optional: false };
        steps.splice(at..at + 4, [joined]);
    }
}
