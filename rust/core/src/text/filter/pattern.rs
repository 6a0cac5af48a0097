//! Regular expressions, and text in any case.
//!
//! A match costs the compiled size times the bytes of the field at most, and both have a limit.

use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::{ErrorKind, Span};

use super::{FilterError, SourceRange};

/// The longest pattern or text in any case, in bytes. A list of a thousand names fits.
const MAX_PATTERN_BYTES: usize = 16 * 1024;

/// The largest compiled pattern, in bytes, as in the crate by default. `\w{100}`, of all letters of
/// Unicode, fits.
const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;

/// The number of patterns in an expression, so that all of them together have a limit too.
pub(super) const MAX_PATTERNS: usize = 16;

/// Compiles a pattern, which is anywhere in the text of a field; `place` is where it is written.
pub(super) fn pattern(text: &str, place: SourceRange) -> Result<Arc<Regex>, FilterError> {
    compiled(text, false, place).map_err(|error| match error {
        regex::Error::Syntax(_) => match syntax_error(text) {
            Some((message, span)) => {
                let start = place.start + span.start.offset;
                let end = place.start + span.end.offset;
                FilterError::new(SourceRange { start, end }, message)
            }
            None => FilterError::new(place, "invalid pattern"),
        },
        _ => too_large(place),
    })
}

/// Compiles a text that is found in any case, by the simple case folding of Unicode.
pub(super) fn in_any_case(text: &str, place: SourceRange) -> Result<Arc<Regex>, FilterError> {
    compiled(&regex::escape(text), true, place).map_err(|_| too_large(place))
}

fn compiled(text: &str, any_case: bool, place: SourceRange) -> Result<Arc<Regex>, regex::Error> {
    if place.end - place.start > MAX_PATTERN_BYTES {
        return Err(regex::Error::CompiledTooBig(MAX_COMPILED_BYTES));
    }
    let mut builder = RegexBuilder::new(text);
    builder.case_insensitive(any_case).size_limit(MAX_COMPILED_BYTES);
    builder.build().map(Arc::new)
}

fn too_large(place: SourceRange) -> FilterError {
    let message = format!(
        "the pattern is too large: at most {} KiB are read, and {} MiB compiled; shorten it, or \
         repeat less",
        MAX_PATTERN_BYTES / 1024,
        MAX_COMPILED_BYTES / 1024 / 1024
    );
    FilterError::new(place, message)
}

/// What is wrong with a pattern, and where.
fn syntax_error(text: &str) -> Option<(String, Span)> {
    let mut parser = regex_syntax::ParserBuilder::new().utf8(false).build();
    match parser.parse(text).err()? {
        regex_syntax::Error::Parse(error) => {
            let message = match error.kind() {
                ErrorKind::UnsupportedLookAround => {
                    "look-around such as (?=x) is not supported; combine conditions with 'and' \
                     and 'not'"
                        .to_owned()
                }
                ErrorKind::UnsupportedBackreference => {
                    "backreferences are not supported".to_owned()
                }
                kind => invalid(kind),
            };
            Some((message, *error.span()))
        }
        regex_syntax::Error::Translate(error) => Some((invalid(error.kind()), *error.span())),
        _ => None,
    }
}

fn invalid(kind: impl std::fmt::Display) -> String {
    format!("invalid pattern: {kind}; to find the text as it is, use contains")
}
