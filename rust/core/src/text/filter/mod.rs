//! Filters lines by conditions on their fields and by a time range.
//!
//! ```text
//! status >= 500 and (method == POST or url startswith "/api/")
//! ```
//!
//! An expression is parsed once and bound to a reader. Then the types of its fields are known, and
//! every literal is converted to the type of its field. The cost for a line is at most the number
//! of literals times the bytes of the fields that they are compared with; for a pattern it is its
//! compiled size, which has a limit, times these bytes.
//!
//! A condition is true or false, never unknown. For a missing value only `== null` and negations
//! (`!=`, `not`) are true.

mod condition;
mod lexer;
mod parser;
mod pattern;

use crate::ground::quoted;
use crate::text::format::{Format, Reader, UnknownField};
use condition::{Condition, TypedPredicate};

/// The longest expression, in bytes; the same as for a line.
const MAX_BYTES: usize = 64 * 1024;

/// How deep parentheses and `not` may be nested.
const MAX_DEPTH: usize = 64;

/// An error in an expression, with its range in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The byte where it begins.
    pub start: usize,
    /// The byte where it ends.
    pub end: usize,
    /// The message, which says what to write instead.
    pub message: String,
}

impl FilterError {
    fn new(range: SourceRange, message: impl Into<String>) -> Self {
        Self { start: range.start, end: range.end, message: message.into() }
    }
}

/// A range of bytes of the expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SourceRange {
    start: usize,
    end: usize,
}

/// Conditions, and how they are combined.
#[derive(Clone, Debug)]
enum Node<T> {
    And(Vec<Node<T>>),
    Or(Vec<Node<T>>),
    Not(Box<Node<T>>),
    Leaf(T),
}

impl<T> Node<T> {
    /// Converts every condition.
    fn try_map<U>(
        &self,
        bind: &impl Fn(&T) -> Result<U, FilterError>,
    ) -> Result<Node<U>, FilterError> {
        let all =
            |nodes: &[Self]| nodes.iter().map(|node| node.try_map(bind)).collect::<Result<_, _>>();
        Ok(match self {
            Self::And(nodes) => Node::And(all(nodes)?),
            Self::Or(nodes) => Node::Or(all(nodes)?),
            Self::Not(node) => Node::Not(Box::new(node.try_map(bind)?)),
            Self::Leaf(condition) => Node::Leaf(bind(condition)?),
        })
    }

    /// Whether the expression is true. Evaluation stops as soon as the result is known.
    fn holds(&self, evaluate: &mut impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.holds(evaluate)),
            Self::Or(nodes) => nodes.iter().any(|node| node.holds(evaluate)),
            Self::Not(node) => !node.holds(evaluate),
            Self::Leaf(condition) => evaluate(condition),
        }
    }
}

/// The field that a time range applies to.
const TIME: &str = "time";

/// A filter for lines; by default it keeps all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    root: Option<Node<Condition>>,
    /// The fields in order of appearance, and the range of the first appearance of each.
    names: Vec<(Box<str>, SourceRange)>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Filter {
    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let (root, names) = parser::parse(text)?;
        Ok(Self { root: Some(root), names, since: None, until: None })
    }

    /// Adds a time range: from `since` up to, but not including, `until`, in microseconds since the
    /// epoch.
    #[must_use]
    pub fn between(mut self, since: Option<i64>, until: Option<i64>) -> Self {
        (self.since, self.until) = (since, until);
        self
    }

    fn has_range(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The fields that the filter needs.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let named = self.names.iter().map(|(name, _)| &**name);
        let time = self.has_range() && named.clone().all(|name| name != TIME);
        named.chain(time.then_some(TIME))
    }

    /// The range of the first appearance of a field in the expression, in bytes.
    pub fn field_range(&self, field: &str) -> Option<(usize, usize)> {
        let found = self.names.iter().find(|(name, _)| &**name == field);
        found.map(|(_, range)| (range.start, range.end))
    }

    /// These names, followed by those of other fields that the filter needs: all that a reader has
    /// to read.
    pub fn required_fields<'a>(&'a self, names: &[&'a str]) -> Vec<&'a str> {
        let mut all = names.to_vec();
        for field in self.fields() {
            if !all.contains(&field) {
                all.push(field);
            }
        }
        all
    }

    /// Checks that a format has the filter's fields, with types that the conditions allow.
    pub fn check(&self, format: &Format) -> Result<(), FilterError> {
        let reader = Reader::lenient(format, &self.required_fields(&[]));
        if let Some(name) = self.fields().find(|name| format.kind(name).is_none()) {
            return Err(self.no_field(name));
        }
        self.bind(&reader, 0).map(|_| ())
    }

    /// Returns a reader of these fields and the filter's own, and the filter bound to it.
    ///
    /// The format has to have the fields in `names`. Other fields that it lacks are null: where a
    /// header names the columns, the filter was checked before they were known.
    pub fn reader(
        &self,
        format: &Format,
        names: &[&str],
    ) -> Result<(Reader, BoundFilter), UnknownField> {
        if let Some(&name) = names.iter().find(|name| format.kind(name).is_none()) {
            return Err(UnknownField { name: name.to_owned() });
        }
        Ok(self.lenient_reader(format, names))
    }

    /// As `reader`, but every field that the format lacks is null.
    pub fn lenient_reader(&self, format: &Format, names: &[&str]) -> (Reader, BoundFilter) {
        let reader = Reader::lenient(format, &self.required_fields(names));
        let bound = BoundFilter { columns: names.len(), ..self.lenient_bind(&reader) };
        (reader, bound)
    }

    /// Binds the filter to a reader of all its fields. A condition that does not apply to the type
    /// of its field is never true.
    pub fn lenient_bind(&self, reader: &Reader) -> BoundFilter {
        let never = |condition: &Condition, field: usize| {
            let check = condition.check(reader.name(field), reader.kind(field), reader.zone());
            Ok(check.unwrap_or(TypedPredicate::Never))
        };
        // This cannot fail: invalid conditions are never true, and every field is read.
        self.bind_by(reader, 0, &never).unwrap_or_else(|_| BoundFilter {
            root: Some(Node::Or(Vec::new())),
            range: None,
            columns: 0,
        })
    }

    /// Binds the filter to a reader of `required_fields`, of which the first `columns` are output.
    pub fn bind(&self, reader: &Reader, columns: usize) -> Result<BoundFilter, FilterError> {
        self.bind_by(reader, columns, &|condition, field| {
            condition.check(reader.name(field), reader.kind(field), reader.zone())
        })
    }

    fn bind_by(
        &self,
        reader: &Reader,
        columns: usize,
        check: &impl Fn(&Condition, usize) -> Result<TypedPredicate, FilterError>,
    ) -> Result<BoundFilter, FilterError> {
        let position = |name: &str| {
            let field = reader.names().position(|read| read == name);
            field.ok_or_else(|| self.no_field(name))
        };
        let bind = |condition: &Condition| {
            let field = position(&self.names[condition.field].0)?;
            Ok((field, check(condition, field)?))
        };
        let root = self.root.as_ref().map(|root| root.try_map(&bind)).transpose()?;
        let since = self.since.unwrap_or(i64::MIN);
        let until = self.until.unwrap_or(i64::MAX);
        let range = self.has_range().then(|| Ok(Range { field: position(TIME)?, since, until }));
        Ok(BoundFilter { root, range: range.transpose()?, columns })
    }

    fn no_field(&self, name: &str) -> FilterError {
        let (start, end) = self.field_range(name).unwrap_or_default();
        FilterError { start, end, message: format!("no field {} in this format", quoted(name)) }
    }
}

/// A filter bound to a reader.
#[derive(Clone, Debug)]
pub struct BoundFilter {
    /// Conditions, each with the index of its field in the reader.
    root: Option<Node<(usize, TypedPredicate)>>,
    range: Option<Range>,
    columns: usize,
}

/// A time range: from `since` up to, but not including, `until`.
#[derive(Clone, Copy, Debug)]
struct Range {
    field: usize,
    since: i64,
    until: i64,
}

/// What a filter does with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Keep it.
    Keep,
    /// Skip it.
    Skip,
    /// Reject it: there is a time range, and the line has no valid time.
    NoTime,
}

impl BoundFilter {
    /// How many of the reader's fields are output; they come first. The others are only for the
    /// filter.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Decides about the line that was read last.
    #[inline]
    pub fn verdict(&self, reader: &mut Reader, line: &[u8]) -> Verdict {
        if let Some(range) = self.range {
            match reader.time(line, range.field) {
                None => return Verdict::NoTime,
                Some(time) if !(range.since..range.until).contains(&time) => return Verdict::Skip,
                Some(_) => {}
            }
        }
        if self.holds(reader, line) { Verdict::Keep } else { Verdict::Skip }
    }

    /// Whether the conditions are true of the line that was read last, whatever its time.
    #[inline]
    pub fn holds(&self, reader: &mut Reader, line: &[u8]) -> bool {
        let mut evaluate =
            |(field, check): &(usize, TypedPredicate)| check.holds(reader.value(line, *field));
        self.root.as_ref().is_none_or(|root| root.holds(&mut evaluate))
    }

    /// The offset of the time that the range applies to, in the line that was read last.
    pub(crate) fn time_offset(&self, reader: &Reader, line: &[u8]) -> usize {
        self.range.map_or(0, |range| reader.field_start(line, range.field))
    }
}

#[cfg(test)]
mod tests;
