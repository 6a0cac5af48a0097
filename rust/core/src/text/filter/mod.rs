//! Which lines are meant: conditions on their fields, and a range of time.
//!
//! ```text
//! status >= 500 and (method == POST or url startswith "/api/")
//! ```
//!
//! An expression is parsed once and bound to a reader, where the types of the fields are known
//! and every literal becomes a value of theirs. What it costs to ask a line is bounded by the
//! literals times the bytes of the fields that they are compared with; there are no patterns, and
//! no way to write one that costs more.
//!
//! A condition is true or false, never unknown: of a missing value only `== null` is true, and
//! what negates another condition (`!=`, `not`).

mod condition;
mod lexer;
mod parser;

use crate::text::format::{Format, Reader, UnknownField};
use condition::{Condition, TypedPredicate};

/// The longest expression, in bytes: as many as a line may have.
const MAX_BYTES: usize = 64 * 1024;

/// How deep an expression may be nested.
const MAX_DEPTH: usize = 64;

/// What is wrong with an expression, from one of its bytes up to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// In words, with what to write instead.
    pub message: String,
}

impl FilterError {
    fn new(place: SourceRange, message: impl Into<String>) -> Self {
        Self { start: place.start, end: place.end, message: message.into() }
    }
}

/// A piece of the expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SourceRange {
    start: usize,
    end: usize,
}

/// Conditions and how they go together.
#[derive(Clone, Debug)]
enum Node<T> {
    And(Vec<Node<T>>),
    Or(Vec<Node<T>>),
    Not(Box<Node<T>>),
    Leaf(T),
}

impl<T> Node<T> {
    /// The same with other conditions.
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

    /// Whether it is true; no condition is asked whose answer makes no odds.
    fn holds(&self, ask: &mut impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.holds(ask)),
            Self::Or(nodes) => nodes.iter().any(|node| node.holds(ask)),
            Self::Not(node) => !node.holds(ask),
            Self::Leaf(condition) => ask(condition),
        }
    }
}

/// The field that a range of time is about.
const TIME: &str = "time";

/// Which lines are meant; by default all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    root: Option<Node<Condition>>,
    /// The fields in order of appearance, and where each appears first.
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

    /// The same for lines from one time on and before another, in microseconds since the epoch.
    #[must_use]
    pub fn between(mut self, since: Option<i64>, until: Option<i64>) -> Self {
        (self.since, self.until) = (since, until);
        self
    }

    fn has_range(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The fields that it looks at.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let named = self.names.iter().map(|(name, _)| &**name);
        let time = self.has_range() && named.clone().all(|name| name != TIME);
        named.chain(time.then_some(TIME))
    }

    /// Where a field appears first, from one byte of the expression up to another.
    pub fn field_range(&self, field: &str) -> Option<(usize, usize)> {
        let found = self.names.iter().find(|(name, _)| &**name == field);
        found.map(|(_, place)| (place.start, place.end))
    }

    /// These names, and those of the fields that it looks at besides: what a reader has to read.
    pub fn required_fields<'a>(&'a self, names: &[&'a str]) -> Vec<&'a str> {
        let mut all = names.to_vec();
        for field in self.fields() {
            if !all.contains(&field) {
                all.push(field);
            }
        }
        all
    }

    /// Sees that a format has its fields, of types that can be compared as it says.
    pub fn check(&self, format: &Format) -> Result<(), FilterError> {
        let reader = Reader::lenient(format, &self.required_fields(&[]));
        if let Some(name) = self.fields().find(|name| format.kind(name).is_none()) {
            return Err(self.no_field(name));
        }
        self.bind(&reader, 0).map(|_| ())
    }

    /// A reader of these fields and those that it looks at itself, and how to ask its lines.
    ///
    /// The format has to have the fields. What else it has not is null: one whose columns are
    /// named by the log was checked before they were known.
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

    /// As `reader`, but all that the format has not is null.
    pub fn lenient_reader(&self, format: &Format, names: &[&str]) -> (Reader, BoundFilter) {
        let reader = Reader::lenient(format, &self.required_fields(names));
        let never = |condition: &Condition, field: usize| {
            let check = condition.check(reader.name(field), reader.kind(field));
            Ok(check.unwrap_or(TypedPredicate::Never))
        };
        // Nothing is wrong where a wrong condition is never true, and every field is read.
        let bound = self.bind_by(&reader, names.len(), &never).unwrap_or_else(|_| BoundFilter {
            root: Some(Node::Or(Vec::new())),
            range: None,
            columns: names.len(),
        });
        (reader, bound)
    }

    /// For the lines of a reader that reads what is `wanted`, of which the first `columns` were
    /// asked for besides.
    pub fn bind(&self, reader: &Reader, columns: usize) -> Result<BoundFilter, FilterError> {
        self.bind_by(reader, columns, &|condition, field| {
            condition.check(reader.name(field), reader.kind(field))
        })
    }

    fn bind_by(
        &self,
        reader: &Reader,
        columns: usize,
        check: &impl Fn(&Condition, usize) -> Result<TypedPredicate, FilterError>,
    ) -> Result<BoundFilter, FilterError> {
        let place = |name: &str| {
            let field = reader.names().position(|read| read == name);
            field.ok_or_else(|| self.no_field(name))
        };
        let bind = |condition: &Condition| {
            let field = place(&self.names[condition.field].0)?;
            Ok((field, check(condition, field)?))
        };
        let root = self.root.as_ref().map(|root| root.try_map(&bind)).transpose()?;
        let since = self.since.unwrap_or(i64::MIN);
        let until = self.until.unwrap_or(i64::MAX);
        let range = self.has_range().then(|| Ok(Range { field: place(TIME)?, since, until }));
        Ok(BoundFilter { root, range: range.transpose()?, columns })
    }

    fn no_field(&self, name: &str) -> FilterError {
        let (start, end) = self.field_range(name).unwrap_or_default();
        FilterError { start, end, message: format!("no field {name:?} in this format") }
    }
}

/// A filter for the lines of one reader.
#[derive(Clone, Debug)]
pub struct BoundFilter {
    /// Conditions, each with the place of its field in the reader.
    root: Option<Node<(usize, TypedPredicate)>>,
    range: Option<Range>,
    columns: usize,
}

/// From one time on and before another.
#[derive(Clone, Copy, Debug)]
struct Range {
    field: usize,
    since: i64,
    until: i64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is meant.
    Keep,
    /// It is not.
    Skip,
    /// There is no telling: it has no time that can be read, and a range of time is asked for.
    NoTime,
}

impl BoundFilter {
    /// How many of the reader's fields were asked for besides its own; they come first.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Judges the line that was read last.
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

    /// Whether the conditions hold for the line that was read last, whatever its time.
    #[inline]
    pub fn holds(&self, reader: &mut Reader, line: &[u8]) -> bool {
        let mut ask =
            |(field, check): &(usize, TypedPredicate)| check.holds(reader.value(line, *field));
        self.root.as_ref().is_none_or(|root| root.holds(&mut ask))
    }

    /// Where the time stands that a range of time is asked for, in the line that was read last.
    pub(crate) fn time_offset(&self, reader: &Reader) -> usize {
        self.range.map_or(0, |range| reader.field_start(range.field))
    }
}

#[cfg(test)]
mod tests;
