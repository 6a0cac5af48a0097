//! Compiles format specs: names, field maps, and texts pasted from a server's configuration.

use std::collections::BTreeSet;

use super::field_type::FieldType;
use super::named::{Definition, NamedFormat, TEXT_FORMATS};
use super::parsed::FoundField;
use super::records::{Delimited, Json, Logfmt, Ltsv, W3c};
use super::template::caret::caret;
use super::template::draft::Pasted;
use super::template::language::{Language, language};
use super::template::{self, Blanks, Part, Template, TemplateError, is_combined};
use super::template::{apache, braces, goaccess, nginx};
use super::{Format, Matcher, access};
use crate::ground::quoted;

/// An invalid format spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The message, which says what to write instead and, where that helps, shows the error in the
    /// spec.
    pub message: String,
}

impl Format {
    /// All named formats.
    pub fn named() -> impl Iterator<Item = &'static NamedFormat> {
        TEXT_FORMATS.iter().chain(super::records::RECORD_FORMATS)
    }

    /// Compiles a format spec: a name, several names separated by commas, of which each line
    /// matches one, or a text.
    pub fn new(spec: &str) -> Result<Self, SpecError> {
        if let Some(named) = Self::named().find(|named| named.name == spec) {
            return Self::from_definition(spec, &named.definition);
        }
        if let Some((kind, rest)) = spec.split_once(':') {
            match kind {
                "csv" => return Self::from_columns(spec, b',', rest),
                "tomcat9" => {
                    let template = apache::compile_tomcat9(rest)
                        .map_err(|error| error_in_part(spec, rest, &error))?;
                    return Self::from_template(spec, &template)
                        .map_err(|error| error_in_part(spec, rest, &error));
                }
                "tsv" => return Self::from_columns(spec, b'\t', rest),
                "w3c" | "iis" => {
                    let w3c = W3c::with_columns(rest)
                        .map_err(|error| error_in_part(spec, rest, &error))?;
                    return Self::with_checked_times(spec, Matcher::W3c(w3c));
                }
                "json" => {
                    let json =
                        Json::written(rest).map_err(|error| error_in_part(spec, rest, &error))?;
                    return Self::with_checked_times(spec, Matcher::Json(json));
                }
                _ => {}
            }
        }
        let names: Vec<_> = spec.split(',').map(str::trim).collect();
        if names.len() > 1 && names.iter().all(|name| is_word(name)) {
            return Self::alternatives_of(spec, &names);
        }
        if names.len() > 1 && names.iter().all(|name| name.is_empty() || is_word(name)) {
            let message = format!(
                "{}: expected a format name beside each comma; remove extra commas",
                quoted(spec)
            );
            return Err(SpecError { message });
        }
        if is_word(spec) {
            let message = format!(
                "unknown format {}; 'tailrace formats' lists the named formats",
                quoted(spec)
            );
            return Err(SpecError { message });
        }
        Self::from_pasted(spec).map_err(|error| with_caret(spec, &error))
    }

    fn from_pasted(text: &str) -> Result<Self, TemplateError> {
        match parse_pasted(text)? {
            Pasted::Template(template) => Self::from_template(text, &template),
            Pasted::Json(fields) => Self::from_pasted_json(text, fields),
        }
    }

    fn from_template(spec: &str, template: &Template) -> Result<Self, TemplateError> {
        if is_combined(template) {
            return Ok(Self::of(spec, Matcher::Combined));
        }
        let format = Self::of(spec, Matcher::Template(template::Matcher::new(template)?));
        let found = &format.0.found;
        let mut times = times(found);
        for part in &template.parts {
            if let Part::Field(slot) = part
                && times.remove(&*slot.name)
                && let Err((_, _, message)) = access::time_parser(&slot.name, found)
            {
                let (start, end) = slot.written;
                return Err(TemplateError { start, end, message });
            }
        }
        Ok(format)
    }

    fn from_pasted_json(
        text: &str,
        fields: Vec<(String, Vec<String>, FieldType)>,
    ) -> Result<Self, TemplateError> {
        let matcher = Matcher::Json(Json::pasted(fields));
        Self::with_checked_times(text, matcher).map_err(|error| TemplateError {
            start: 0,
            end: text.len(),
            message: error.message,
        })
    }

    fn from_definition(spec: &str, definition: &Definition) -> Result<Self, SpecError> {
        let matcher = match definition {
            Definition::Classic => Matcher::Classic,
            Definition::Combined => Matcher::Combined,
            Definition::Common => Matcher::Common,
            Definition::VhostCombined => Matcher::Vhost,
            Definition::Json(fields) => Matcher::Json(
                Json::listed(fields).map_err(|error| error_in_part(spec, spec, &error))?,
            ),
            Definition::AnyJson => Matcher::Json(Json::any()),
            Definition::Ltsv => Matcher::Ltsv(Ltsv::new()),
            Definition::Logfmt => Matcher::Logfmt(Logfmt::new()),
            Definition::W3c => Matcher::W3c(W3c::new()),
            Definition::CloudFront => Matcher::W3c(W3c::cloudfront()),
            Definition::Delimited(delimiter) => Matcher::Delimited(Delimited::new(*delimiter)),
            Definition::Template(text) => {
                let template = braces::compile(text);
                return template
                    .and_then(|template| Self::from_template(spec, &template))
                    .map_err(|error| with_caret(text, &error));
            }
            Definition::Either(texts) => {
                let templates: Result<Vec<_>, _> =
                    texts.iter().map(|text| braces::compile(text)).collect();
                let matcher = templates.and_then(|templates| template::Matcher::either(&templates));
                Matcher::Template(matcher.map_err(|error| with_caret(spec, &error))?)
            }
        };
        Self::with_checked_times(spec, matcher)
    }

    fn from_columns(spec: &str, delimiter: u8, columns: &str) -> Result<Self, SpecError> {
        let format = Delimited::with_columns(delimiter, columns)
            .map_err(|error| error_in_part(spec, columns, &error))?;
        Self::with_checked_times(spec, Matcher::Delimited(format))
    }

    /// Creates a format, and checks that its times can be parsed.
    fn with_checked_times(spec: &str, matcher: Matcher) -> Result<Self, SpecError> {
        let format = Self::of(spec, matcher);
        for name in times(&format.0.found) {
            if let Err((_, _, message)) = access::time_parser(name, &format.0.found) {
                return Err(SpecError { message: format!("field {name}: {message}") });
            }
        }
        Ok(format)
    }

    fn alternatives_of(spec: &str, names: &[&str]) -> Result<Self, SpecError> {
        let formats = names.iter().map(|name| Self::new(name)).collect::<Result<Vec<_>, _>>()?;
        for (index, format) in formats.iter().enumerate() {
            for field in format.fields() {
                let other = formats[..index]
                    .iter()
                    .find(|other| other.kind(&field.name).is_some_and(|kind| kind != field.kind));
                if let Some(other) = other {
                    let (one, other) = (other.spec(), format.spec());
                    return Err(SpecError {
                        message: format!(
                            "{}: {} has different types in {one} and {other}; combine formats \
                             with equal types",
                            quoted(spec),
                            quoted(&field.name)
                        ),
                    });
                }
            }
        }
        Ok(Self::of(spec, Matcher::Either(formats)))
    }
}

/// The names of times, without duplicates: several fields can be parts of one time.
fn times(found: &[FoundField]) -> BTreeSet<&str> {
    let times = found.iter().filter(|field| matches!(field.read, FieldType::Time(_)));
    times.map(|field| &*field.name).collect()
}

/// Parses a text in any of the format languages.
fn parse_pasted(text: &str) -> Result<Pasted, TemplateError> {
    if let Some(pattern) = text.strip_prefix("tomcat9:") {
        return apache::compile_tomcat9(pattern).map(Pasted::Template);
    }
    match language(text)? {
        Language::Nginx => nginx::paste(text),
        Language::Apache => apache::compile(text).map(Pasted::Template),
        Language::GoAccess => goaccess::compile(text).map(Pasted::Template),
        Language::Braces => braces::compile(text).map(|template| {
            Pasted::Template(Template { blanks: Blanks::RunsThenExact, ..template })
        }),
    }
}

/// Parses a text as a template, if it is one.
pub(super) fn parse_template(text: &str) -> Option<Template> {
    match parse_pasted(text) {
        Ok(Pasted::Template(template)) => Some(template),
        _ => None,
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Converts an error in a part of a spec to one in the whole spec.
fn error_in_part(spec: &str, part: &str, error: &TemplateError) -> SpecError {
    let offset = spec.len() - part.len();
    let (start, end) = (offset + error.start, offset + error.end);
    with_caret(spec, &TemplateError { start, end, message: error.message.clone() })
}

/// The message, and below it the spec with a caret at the error.
fn with_caret(text: &str, error: &TemplateError) -> SpecError {
    let caret = caret(text, error.start, error.end).replace('\n', "\n  ");
    SpecError { message: format!("{}\n  {caret}", error.message) }
}
