//! Texts to formats: names, field maps, and what is pasted out of a server's configuration.

use std::fmt::Write;

use super::named::{Made, NAMED, Named};
use super::parsed::Found;
use super::records::{Delimited, Json, Ltsv, W3c};
use super::template::TemplateError;
use super::{Format, Matcher, access, found_by_hand};

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
                    return Self::of_json(spec, json);
                }
                _ => {}
            }
        }
        let names: Vec<_> = spec.split(',').map(str::trim).collect();
        if names.len() > 1 && names.iter().all(|name| is_word(name)) {
            return Self::either(spec, &names);
        }
        Err(SpecError { message: format!("{spec:?} is no format") })
    }

    fn made(spec: &str, made: &Made) -> Result<Self, SpecError> {
        match made {
            Made::Classic => Ok(Self::of(spec, Matcher::Classic, found_by_hand(true))),
            Made::Combined => Ok(Self::of(spec, Matcher::Combined, found_by_hand(false))),
            Made::Common => {
                let mut found = found_by_hand(false);
                found.truncate(6);
                Ok(Self::of(spec, Matcher::Common, found))
            }
            Made::Json(fields) => {
                let json = Json::listed(fields).map_err(|error| at(spec, spec, &error))?;
                Self::of_json(spec, json)
            }
            Made::AnyJson => Self::of_json(spec, Json::any()),
            Made::Ltsv => {
                let ltsv = Ltsv::new();
                let found = ltsv.found().to_vec();
                Self::timed(spec, Matcher::Ltsv(ltsv), found)
            }
            Made::W3c => Ok(Self::of(spec, Matcher::W3c(W3c::new()), Vec::new())),
            Made::CloudFront => {
                let w3c = W3c::cloudfront();
                let found = w3c.found().to_vec();
                Self::timed(spec, Matcher::W3c(w3c), found)
            }
            Made::Delimited(delimiter) => {
                Ok(Self::of(spec, Matcher::Delimited(Delimited::new(*delimiter)), Vec::new()))
            }
            _ => Err(SpecError { message: format!("{spec:?} is no format") }),
        }
    }

    fn of_json(spec: &str, json: Json) -> Result<Self, SpecError> {
        let found = json.found().to_vec();
        Self::timed(spec, Matcher::Json(json), found)
    }

    fn of_columns(spec: &str, delimiter: u8, columns: &str) -> Result<Self, SpecError> {
        let delimited = Delimited::with_columns(delimiter, columns)
            .map_err(|error| at(spec, columns, &error))?;
        let found = delimited.found().to_vec();
        Self::timed(spec, Matcher::Delimited(delimited), found)
    }

    /// With times that can be read.
    fn timed(spec: &str, matcher: Matcher, found: Vec<Found>) -> Result<Self, SpecError> {
        for field in &found {
            if let Err((_, _, mend)) = access::timer(&field.name, &found) {
                return Err(SpecError { message: format!("field {}: {mend}", field.name) });
            }
        }
        Ok(Self::of(spec, matcher, found))
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
        Ok(Self::of(spec, Matcher::Either(formats), Vec::new()))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// An error in a part of a spec, with the place in the whole of it.
fn at(spec: &str, part: &str, error: &TemplateError) -> SpecError {
    let mut message = error.message.clone();
    let offset = spec.len() - part.len();
    let shown = spec.get(offset + error.start..offset + error.end).unwrap_or_default();
    if !shown.is_empty() {
        // Writing into a text cannot fail.
        let _written: Result<(), _> = write!(message, ": {shown:?} in {spec:?}");
    }
    SpecError { message }
}
