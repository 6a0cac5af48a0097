//! Checks whether an export fits a window, and describes what differs.

use super::{ImportError, Layout, SeenKind, TypedField};
use crate::ground::Kind;
use crate::windows::aggregate::PlanError;

/// The header of an export.
pub(super) struct ExportHeader {
    pub(super) panes: Option<(i64, i64)>,
    pub(super) keys: Vec<TypedField>,
    pub(super) values: Vec<TypedField>,
    pub(super) columns: Vec<String>,
}

impl Layout {
    /// Returns the place of each column of an export in this plan.
    pub(super) fn places(&self, columns: &[String]) -> Result<Vec<usize>, ImportError> {
        let own: Vec<&str> = self.plan.column_names().collect();
        let place = |name: &String| own.iter().position(|known| known == name);
        let places: Option<Vec<usize>> = columns.iter().map(place).collect();
        let is_once = |places: &Vec<usize>| (0..own.len()).all(|place| places.contains(&place));
        places.filter(|places| places.len() == own.len() && is_once(places)).ok_or_else(|| {
            let hint = "give both windows the same aggregates with the same errors";
            differs("aggregates", &list(&own), &list(columns), hint)
        })
    }

    /// Checks panes, keys and values, and returns the common kinds of keys and values.
    pub(super) fn check_compatible(
        &self,
        header: &ExportHeader,
    ) -> Result<(Vec<SeenKind>, Vec<SeenKind>), ImportError> {
        let own = self.panes.map(|panes| (panes.width, panes.offset));
        if header.panes != own {
            let (expected, found) = (describe_panes(own), describe_panes(header.panes));
            return Err(ImportError::Incompatible(format!(
                "merge: this window has panes of {expected}, the other window has panes of {found}; \
                 give both the same lengths, slide and offset"
            )));
        }
        let names = |fields: &[TypedField]| {
            fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>()
        };
        let (there, here) = (names(&header.keys), names(&self.keys));
        if there != here {
            let hint = "give both windows the same key fields in the same order";
            return Err(differs("key fields", &list(&here), &list(&there), hint));
        }
        let both = |name: &str, there: SeenKind, here: SeenKind, key| {
            merged_kind(there, here, key).ok_or_else(|| {
                let what = if key { "key" } else { "value" };
                let (there, here) = (name_of(there), name_of(here));
                ImportError::Incompatible(format!(
                    "{what} '{name}': expected {here}, found {there} in the other window; \
                     convert one of them before adding it"
                ))
            })
        };
        let keys = header.keys.iter().zip(&self.keys);
        let keys = keys.map(|(there, here)| both(&here.name, there.kind, here.kind, true));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let values = self.plan.fields().iter().zip(&self.values).map(|(name, &here)| {
            // An export with other aggregates can have other fields; then the aggregates are
            // reported.
            let there = header.values.iter().find(|field| field.name == *name);
            both(name, there.and_then(|field| field.kind), here, false)
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        // The aggregates do not accept every kind.
        let kinds: Vec<Kind> =
            values.iter().map(|kind| kind.map_or(Kind::Int, |kind| kind.0)).collect();
        self.plan.kinds(&kinds).map_err(|PlanError(what)| ImportError::Incompatible(what))?;
        Ok((keys, values))
    }
}

fn differs(what: &str, expected: &str, found: &str, hint: &str) -> ImportError {
    ImportError::Incompatible(format!(
        "{what}: expected {expected}, found {found} in the other window; {hint}"
    ))
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

fn describe_panes(panes: Option<(i64, i64)>) -> String {
    match panes {
        None => "everything at once".to_owned(),
        Some((width, 0)) => seconds(width),
        Some((width, offset)) => {
            format!("{} with an offset of {}", seconds(width), seconds(offset))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for an error message")]
fn seconds(micros: i64) -> String {
    format!("{}s", micros as f64 / 1e6)
}

const KINDS: [SeenKind; 7] = [
    None,
    Some((Kind::Text, false)),
    Some((Kind::Text, true)),
    Some((Kind::Int, false)),
    Some((Kind::Float, false)),
    Some((Kind::Time, false)),
    Some((Kind::Any, false)),
];

pub(crate) fn code_of(kind: SeenKind) -> u8 {
    // Only text can be raw.
    let kind = kind.map(|(kind, raw)| (kind, raw && kind == Kind::Text));
    (0..).zip(KINDS).find(|&(_, known)| known == kind).map_or(0, |(code, _)| code)
}

pub(crate) fn kind_by(code: u8) -> Option<SeenKind> {
    KINDS.get(usize::from(code)).copied()
}

/// Without a value, a field is treated as text.
pub(crate) fn kind_of(seen: SeenKind) -> (Kind, bool) {
    seen.unwrap_or((Kind::Text, false))
}

/// Returns the common kind of two kinds of values: integers and floats become floats, except in
/// keys, where they would become different keys.
pub(crate) fn merged_kind(one: SeenKind, other: SeenKind, key: bool) -> Option<SeenKind> {
    match (one, other) {
        (None, kind) | (kind, None) => Some(kind),
        (one, other) if one == other => Some(one),
        (Some((Kind::Int | Kind::Float, _)), Some((Kind::Int | Kind::Float, _))) if !key => {
            Some(Some((Kind::Float, false)))
        }
        _ => None,
    }
}

/// Names a kind in error messages.
pub(crate) fn name_of(kind: SeenKind) -> &'static str {
    match kind {
        None => "null",
        Some((_, true)) => "bytes",
        Some((kind, false)) => kind.name(),
    }
}
