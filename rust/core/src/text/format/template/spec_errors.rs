//! Format strings that are wrong, and what is said of them: `spec_errors.txt`, in the form in which
//! people see it.

use super::caret::caret;
use super::language::{Language, language};
use super::{TemplateError, apache, goaccess, nginx};

const CASES: &str = include_str!("spec_errors.txt");

/// A case: the format, a line `--`, what is shown of it, a line `====`.
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
        Ok(()) => "nothing is wrong".to_owned(),
        Err(found) => format!("{}\n{}", caret(text, found.start, found.end), found.message),
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_its_mend() {
    assert!(cases().len() >= 20);
    let said: Vec<_> = cases()
        .into_iter()
        .map(|(text, _)| format!("{text}\n--\n{}\n====\n", answer(text)))
        .collect();
    let expected: Vec<_> =
        cases().into_iter().map(|(text, shown)| format!("{text}\n--\n{shown}\n====\n")).collect();
    for (said, expected) in said.iter().zip(&expected) {
        assert_eq!(said, expected, "\n{said}");
    }
}
