//! Explains where a line stops matching a template, and what was expected there.

use super::run::Cursor;
use super::scanners::Scanner;
use super::steps::{EndRule, Op, Program, Quoted, Step, TextRule, Until};
use crate::text::format::identity::expected_instead_of_word;
use crate::text::format::numbers::{int, status_and_size};
use crate::text::format::parsed::Reject;

impl Program {
    /// The reject of a step that did not match, and the index of its template part.
    pub(super) fn reject_at(&self, line: &[u8], failed: Cursor) -> (Reject, usize) {
        let Step { op, part, .. } = &self.steps[failed.step];
        let at = failed.at;
        if let Some(Step { op: Op::Scanned { scanner, .. }, part, .. }) =
            failed.step.checked_sub(1).map(|before| &self.steps[before])
            && self.exact
            && at < line.len()
            && scanner.end(line, at).is_none()
            && at.checked_sub(1).is_none_or(|before| !scanner.may_contain(Some(line[before])))
        {
            // It is not empty either, because what follows it is not here.
            return (Reject::new(at, scanner.expected()), *part);
        }
        let (at, expected, part) = match op {
            Op::Blank => (at, byte_name(b' '), *part),
            Op::Text(text) => {
                let (at, byte) = self.mismatch(line, at, text);
                (at, byte_name(byte), *part)
            }
            Op::StatusAndSize { .. } => {
                // `part` is the blank before the status; the others follow it.
                let stop = status_and_size(line, at, int).err();
                let (which, at) = stop.unwrap_or((3, at));
                let expected = [
                    byte_name(b' '),
                    Scanner::Status.expected(),
                    byte_name(b' '),
                    Scanner::Int.expected(),
                ][which];
                (at, expected, *part + which)
            }
            Op::Scanned { scanner, .. } => (at, scanner.expected(), *part),
            Op::OpenRequest => match self.steps.get(failed.step + 1).map(|step| &step.op) {
                Some(Op::Quoted(Quoted { is_request: false, .. })) => (at, "a quote", *part),
                _ => (at, "the quote that opens the request", *part),
            },
            Op::Quoted(Quoted { is_request: true, .. }) => {
                (at, "the quote that closes the request", *part)
            }
            Op::Quoted(_) => (at, "the quote that closes the field", *part),
            Op::Head(_) | Op::FastPath(_) if matches!(line.get(at), None | Some(b'[')) => {
                (at, "a time in brackets and the request", *part)
            }
            Op::Head(_) | Op::FastPath(_) => (at, expected_instead_of_word(line, at), *part),
            Op::Until(Until { rule: EndRule::Only { .. }, .. }) => {
                (at, "only one place where this field can end", *part)
            }
            Op::Until(Until {
                rule: EndRule::Leaves { text: TextRule::Request | TextRule::RequestLine, .. },
                ..
            }) => (at, "a request that its protocol ends", *part),
            Op::Until(Until { rule: EndRule::User, .. }) => {
                (at, "a user without -, brackets and quotes among its words", *part)
            }
            Op::List { check, .. } | Op::Until(Until { check, .. }) => {
                (at, check.expected(), *part)
            }
            Op::Word { .. } | Op::TailWord { .. } | Op::Rest { .. } => (at, "a word", *part),
            Op::End | Op::Done if self.open_ended => (at, "a space or the end of the line", *part),
            Op::End | Op::Done => (at, "the end of the line", *part),
        };
        (Reject::new(at, expected), part)
    }

    /// The position where the line differs from a literal, and the byte of the literal there.
    fn mismatch(&self, line: &[u8], start: usize, text: &[u8]) -> (usize, u8) {
        let mut at = start;
        for (index, byte) in text.iter().enumerate() {
            match self.literal(line, start, &text[..=index]) {
                Some(end) => at = end,
                None => return (at, *byte),
            }
        }
        (at, b' ')
    }
}

/// The name of a byte of a literal, for people.
fn byte_name(byte: u8) -> &'static str {
    match byte {
        b' ' => "a space",
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
        b'|' => "a vertical bar",
        b'/' => "a slash",
        b'-' => "a dash",
        b'=' => "an equals sign",
        b'.' => "a dot",
        _ => "the literal text of the format",
    }
}
