//! Invalid format specs and their messages: the cases in `spec_errors.txt`, as users see them.

use super::caret::caret;
use super::language::{Language, language};
use super::{TemplateError, apache, goaccess, nginx};

const CASES: &str = include_str!("spec_errors.txt");

/// A case: the format, a line `--`, the expected error, a line `====`.
fn cases() -> Vec<(&'static str, &'static str)> {
    let cases = CASES.split("\n====\n").filter(|case| !case.trim().is_empty());
    cases.map(|case| case.split_once("\n--\n").unwrap()).collect()
}

fn compile(text: &str) -> Result<(), TemplateError> {
    match language(text)? {
        Language::Nginx => nginx::paste(text).map(|_| ()),
        Language::Apache => apache::compile(text).map(|_| ()),
        Language::GoAccess => goaccess::compile(text).map(|_| ()),
        Language::Braces => Ok(()),
    }
}

fn answer(text: &str) -> String {
    match compile(text) {
        Ok(()) => "no error".to_owned(),
        Err(found) => format!("{}\n{}", caret(text, found.start, found.end), found.message),
    }
}

#[test]
fn an_error_has_its_position_and_a_fix() {
    assert!(cases().len() >= 20);
    let found: Vec<_> = cases()
        .into_iter()
        .map(|(text, _)| format!("{text}\n--\n{}\n====\n", answer(text)))
        .collect();
    let expected: Vec<_> =
        cases().into_iter().map(|(text, shown)| format!("{text}\n--\n{shown}\n====\n")).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "\n{found}");
    }
}
