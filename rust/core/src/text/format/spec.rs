//! Texts to formats: names, field maps, and what is pasted out of a server's configuration.

use std::collections::BTreeSet;

use super::named::{Made, NAMED, Named};
use super::parsed::Found;
use super::read::Read;
use super::records::{Delimited, Json, Ltsv, W3c};
use super::template::caret::caret;
use super::template::draft::Pasted;
use super::template::language::{Language, language};
use super::template::{self, Part, Template, TemplateError, is_combined};
use super::template::{apache, braces, goaccess, nginx};
use super::{Format, Matcher, access};

/// What is wrong with a text that should be a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// In words, with what to write instead; where that helps, with the place in the text.
    pub message: String,
}

impl Format {
    /// Every format that has a name.
    pub fn named() -> impl Iterator<Item = &'static Named> {
        NAMED.iter().chain(super::records::RECORDS)
    }

    /// Compiles a format: a name, several names with commas between them, of which each line is of
    /// one, or a text.
    pub fn new(spec: &str) -> Result<Self, SpecError> {
        if let Some(named) = Self::named().find(|named| named.name == spec) {
            return Self::made(spec, &named.made);
        }
        if let Some((kind, rest)) = spec.split_once(':') {
            match kind {
                "csv" => return Self::of_columns(spec, b',', rest),
                "tsv" => return Self::of_columns(spec, b'\t', rest),
                "json" => {
                    let json = Json::written(rest).map_err(|error| at(spec, rest, &error))?;
                    return Self::timed(spec, Matcher::Json(json));
                }
                _ => {}
            }
        }
        let names: Vec<_> = spec.split(',').map(str::trim).collect();
        if names.len() > 1 && names.iter().all(|name| is_word(name)) {
            return Self::either(spec, &names);
        }
        if names.len() > 1 && names.iter().all(|name| name.is_empty() || is_word(name)) {
            let message = format!("{spec:?} names no format beside a comma; leave the comma out");
            return Err(SpecError { message });
        }
        if is_word(spec) {
            let message =
                format!("{spec:?} is no format; tailrace formats lists those with a name");
            return Err(SpecError { message });
        }
        Self::pasted(spec).map_err(|error| pointed(spec, &error))
    }

    fn pasted(text: &str) -> Result<Self, TemplateError> {
        match paste(text)? {
            Pasted::Template(template) => Self::of_template(text, &template),
            Pasted::Json(fields) => Self::pasted_json(text, fields),
        }
    }

    fn of_template(spec: &str, template: &Template) -> Result<Self, TemplateError> {
        if is_combined(template) {
            return Ok(Self::of(spec, Matcher::Combined));
        }
        let format = Self::of(spec, Matcher::Template(template::Matcher::new(template)?));
        let found = &format.0.found;
        let mut times = times(found);
        for part in &template.parts {
            if let Part::Field(slot) = part
                && times.remove(&*slot.name)
                && let Err((_, _, message)) = access::timer(&slot.name, found)
            {
                let (start, end) = slot.written;
                return Err(TemplateError { start, end, message });
            }
        }
        Ok(format)
    }

    fn pasted_json(
        text: &str,
        fields: Vec<(String, Vec<String>, Read)>,
    ) -> Result<Self, TemplateError> {
        let matcher = Matcher::Json(Json::pasted(fields));
        let error = |message| TemplateError { start: 0, end: text.len(), message };
        Self::timed(text, matcher).map_err(|wrong| error(wrong.message))
    }

    fn made(spec: &str, made: &Made) -> Result<Self, SpecError> {
        let matcher = match made {
            Made::Classic => Matcher::Classic,
            Made::Combined => Matcher::Combined,
            Made::Common => Matcher::Common,
            Made::Json(fields) => {
                Matcher::Json(Json::listed(fields).map_err(|error| at(spec, spec, &error))?)
            }
            Made::AnyJson => Matcher::Json(Json::any()),
            Made::Ltsv => Matcher::Ltsv(Ltsv::new()),
            Made::W3c => Matcher::W3c(W3c::new()),
            Made::CloudFront => Matcher::W3c(W3c::cloudfront()),
            Made::Delimited(delimiter) => Matcher::Delimited(Delimited::new(*delimiter)),
            Made::Template(text) => {
                let template = braces::compile(text);
                return template
                    .and_then(|template| Self::of_template(spec, &template))
                    .map_err(|error| pointed(text, &error));
            }
            Made::Either(texts) => {
                let templates: Result<Vec<_>, _> =
                    texts.iter().map(|text| braces::compile(text)).collect();
                let matcher = templates.and_then(|templates| template::Matcher::either(&templates));
                Matcher::Template(matcher.map_err(|error| pointed(spec, &error))?)
            }
        };
        Self::timed(spec, matcher)
    }

    fn of_columns(spec: &str, delimiter: u8, columns: &str) -> Result<Self, SpecError> {
        let format = Delimited::with_columns(delimiter, columns)
            .map_err(|error| at(spec, columns, &error))?;
        Self::timed(spec, Matcher::Delimited(format))
    }

    /// With times that can be read.
    fn timed(spec: &str, matcher: Matcher) -> Result<Self, SpecError> {
        let format = Self::of(spec, matcher);
        for name in times(&format.0.found) {
            if let Err((_, _, mend)) = access::timer(name, &format.0.found) {
                return Err(SpecError { message: format!("field {name}: {mend}") });
            }
        }
        Ok(format)
    }

    fn either(spec: &str, names: &[&str]) -> Result<Self, SpecError> {
        let formats = names.iter().map(|name| Self::new(name)).collect::<Result<Vec<_>, _>>()?;
        for (place, format) in formats.iter().enumerate() {
            for field in format.fields() {
                let other = formats[..place]
                    .iter()
                    .find(|other| other.kind(&field.name).is_some_and(|kind| kind != field.kind));
                if let Some(other) = other {
                    let (one, other) = (other.spec(), format.spec());
                    return Err(SpecError {
                        message: format!(
                            "{spec:?}: {} is of another type in {one} than in {other}; mix formats \
                             with the same types",
                            field.name
                        ),
                    });
                }
            }
        }
        Ok(Self::of(spec, Matcher::Either(formats)))
    }
}

/// The names of times, each once: what several fields are parts of is one.
fn times(found: &[Found]) -> BTreeSet<&str> {
    let times = found.iter().filter(|field| matches!(field.read, Read::Time(_)));
    times.map(|field| &*field.name).collect()
}

/// A text in one of the languages in which formats are written.
fn paste(text: &str) -> Result<Pasted, TemplateError> {
    match language(text)? {
        Language::Nginx => nginx::paste(text),
        Language::Apache => apache::compile(text).map(Pasted::Template),
        Language::GoAccess => goaccess::compile(text).map(Pasted::Template),
        Language::Braces => braces::compile(text).map(Pasted::Template),
    }
}

/// The template that a text is, if it is one.
pub(super) fn written(text: &str) -> Option<Template> {
    match paste(text) {
        Ok(Pasted::Template(template)) => Some(template),
        _ => None,
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// An error in a part of a spec, with the place in the whole of it.
fn at(spec: &str, part: &str, error: &TemplateError) -> SpecError {
    let offset = spec.len() - part.len();
    let (start, end) = (offset + error.start, offset + error.end);
    pointed(spec, &TemplateError { start, end, message: error.message.clone() })
}

/// What is wrong, and below it where.
fn pointed(text: &str, error: &TemplateError) -> SpecError {
    let caret = caret(text, error.start, error.end).replace('\n', "\n  ");
    SpecError { message: format!("{}\n  {caret}", error.message) }
}
