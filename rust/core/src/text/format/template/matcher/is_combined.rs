//! Recognizes templates that are the combined log format, which has a faster hand-written parser.

use super::super::{Part, Template, braces};
use crate::text::format::field_type::FieldType;
use crate::text::format::time::TimeFormat;

/// Whether a template is exactly the combined log format: host, ident, user, time, request,
/// status, size, referer and agent, with the usual types.
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
            let is_clf = slot.name == "time" && slot.read == FieldType::Time(TimeFormat::Clf);
            slot.name == usual.name && (slot.read == usual.read || is_clf)
        }
        _ => false,
    };
    !template.raw
        && usual.iter().filter_map(|usual| braces::compile(usual).ok()).any(|usual| {
            usual.parts.len() == template.parts.len()
                && template.parts.iter().zip(&usual.parts).enumerate().all(same)
        })
}
