//! Helpers for the tests of the format compilers.

use super::super::field_type::FieldType;
use super::super::time::TimeFormat;
use super::{Part, Slot, Template, TemplateError};

/// A template as one line: literals in quotes, fields as `name:Syntax:type`.
pub(super) fn shown(template: &Template) -> String {
    let parts = template.parts.iter().map(|part| match part {
        Part::Literal(literal) => format!("{:?}", String::from_utf8_lossy(literal)),
        Part::Field(slot) => field(slot),
    });
    let open_ended = template.open_ended.then(|| "...".to_owned());
    parts.chain(open_ended).collect::<Vec<_>>().join(" ")
}

/// A field as `name:Syntax:type`.
pub(super) fn field(slot: &Slot) -> String {
    format!("{}:{:?}:{}", slot.name, slot.syntax, read(&slot.read))
}

pub(super) fn read(read: &FieldType) -> String {
    match read {
        FieldType::Time(TimeFormat::Strftime(text)) => format!("time({text})"),
        FieldType::Time(format) => format!("{format:?}").to_lowercase(),
        FieldType::Seconds(power) => format!("seconds({power})"),
        other => format!("{other:?}").to_lowercase(),
    }
}

pub(super) fn slots(template: &Template) -> Vec<&Slot> {
    let slots = template.parts.iter().filter_map(|part| match part {
        Part::Field(slot) => Some(slot),
        Part::Literal(_) => None,
    });
    slots.collect()
}

/// The only field of a template.
pub(super) fn only(template: &Template) -> String {
    let slots = slots(template);
    assert_eq!(slots.len(), 1, "{}", shown(template));
    field(slots[0])
}

/// Checks what holds for any text: parts, positions and messages are well formed.
pub(super) fn check(text: &str, answer: &Result<Template, TemplateError>) {
    match answer {
        Ok(template) => {
            for pair in template.parts.windows(2) {
                assert!(!matches!(pair, [Part::Literal(_), Part::Literal(_)]), "{text:?}");
            }
            for slot in slots(template) {
                assert!(text.get(slot.written.0..slot.written.1).is_some(), "{text:?} {slot:?}");
            }
            assert!(!slots(template).is_empty(), "{text:?}");
        }
        Err(found) => {
            assert!(text.get(found.start..found.end).is_some(), "{text:?} {found:?}");
            let is_text = !found.message.is_empty() && !found.message.contains(char::is_control);
            assert!(is_text, "{found:?}");
        }
    }
}
