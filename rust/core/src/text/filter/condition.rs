//! A condition on one field.

use std::cmp::Ordering;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::{FilterError, SourceRange};
use crate::ground::any_column::large_int;
use crate::ground::{Kind, Value, int_to_float, quoted};
use crate::text::format::{ZoneTable, time_of};

/// A condition as it was written.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// The index of its field in the filter.
    pub(super) field: usize,
    /// Where the field name is in the expression.
    pub(super) range: SourceRange,
    pub(super) predicate: Predicate,
}

#[derive(Clone, Debug)]
pub(super) enum Predicate {
    Compare(Comparison, Literal),
    /// Sorted by text.
    OneOf(Arc<[Literal]>),
    Text(TextMatch, Literal),
    Pattern(Arc<Regex>),
}

impl Predicate {
    pub(super) fn one_of(mut values: Vec<Literal>) -> Self {
        values.sort_by(|one, other| one.text.cmp(&other.text));
        Self::OneOf(values.into())
    }
}

/// A value as it was written.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    pub(super) text: Box<[u8]>,
    pub(super) quoted: bool,
    pub(super) range: SourceRange,
}

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Equal => found.is_eq(),
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        }
    }
}

/// Where in a field's text another text has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextMatch {
    Contains,
    StartsWith,
    EndsWith,
}

/// The exact number of a literal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

/// A condition on a field whose type is known.
#[derive(Clone, Debug)]
pub(super) enum TypedPredicate {
    /// Never true.
    Never,
    Missing,
    Number(Comparison, Number),
    Text(Comparison, Box<[u8]>),
    Time(Comparison, i64),
    OneOfNumbers(Vec<Number>),
    /// Sorted by text.
    OneOfTexts(Arc<[Literal]>),
    OneOfTimes(Vec<i64>),
    /// As `Number`, also of text that is a number. A large integer is compared digit by digit.
    AnyNumber(Comparison, Number, Option<i128>),
    /// The JSON text of a value.
    Json(Box<[u8]>),
    /// True if one of these is.
    AnyOf(Vec<TypedPredicate>),
    /// True of a missing value, or if the other condition is.
    OrMissing(Box<TypedPredicate>),
    Contains(Box<Finder<'static>>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Matches(Arc<Regex>),
}

impl Literal {
    pub(super) fn is_null(&self) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(b"null")
    }

    fn shown(&self) -> String {
        quoted(&String::from_utf8_lossy(&self.text))
    }

    fn number(&self) -> Option<Number> {
        let text = std::str::from_utf8(&self.text).ok()?;
        // Rust also parses `inf` and `nan`, which are not numbers here.
        let is_number =
            |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        if !text.bytes().all(is_number) {
            return None;
        }
        if let Ok(number) = text.parse() {
            return Some(Number::Int(number));
        }
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Float)
    }

    /// The comparison with values of any kind: a number with numbers, also with text that is one;
    /// `true` and `false` with these and with such text; other words and quoted text with text.
    fn of_any(&self, order: Comparison) -> TypedPredicate {
        let text = TypedPredicate::Text(order, self.text.clone());
        match &*self.text {
            _ if self.quoted => text,
            b"true" | b"false" if order == Comparison::Equal => {
                TypedPredicate::AnyOf(vec![text, TypedPredicate::Json(self.text.clone())])
            }
            _ => match self.number() {
                Some(number) => TypedPredicate::AnyNumber(order, number, large_int(&self.text)),
                None => text,
            },
        }
    }

    fn as_number(&self, name: &str) -> Result<Number, FilterError> {
        self.number().ok_or_else(|| {
            let class = match &*self.text {
                [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] if name == "status" => Some(digit),
                _ => None,
            };
            let found = self.shown();
            let message = match class {
                Some(&digit) => format!(
                    "expected a number for {name}, found {found}; write status_class == {}",
                    char::from(digit)
                ),
                None => format!("expected a number for {name}, such as 500 or 0.5, found {found}"),
            };
            FilterError::new(self.range, message)
        })
    }

    fn as_time(&self, zone: Option<&Arc<ZoneTable>>) -> Result<i64, FilterError> {
        time_of(&self.text, zone).ok_or_else(|| {
            let message = format!(
                "expected a time, such as '2015-05-17 10:05:03' (UTC) or \
                 2015-05-17T10:05:03+02:00, found {}",
                self.shown()
            );
            FilterError::new(self.range, message)
        })
    }
}

impl Condition {
    /// Checks the condition against the type of its field.
    pub(super) fn check(
        &self,
        name: &str,
        kind: Kind,
        zone: Option<&Arc<ZoneTable>>,
    ) -> Result<TypedPredicate, FilterError> {
        match &self.predicate {
            Predicate::Compare(_, value) if value.is_null() => Ok(TypedPredicate::Missing),
            Predicate::Compare(order, value) => compare(name, kind, *order, value, zone),
            Predicate::OneOf(values) => one_of(name, kind, values, zone),
            Predicate::Text(part, value) if matches!(kind, Kind::Text | Kind::Any) => {
                Ok(match part {
                    TextMatch::Contains => {
                        TypedPredicate::Contains(Box::new(Finder::new(&*value.text).into_owned()))
                    }
                    TextMatch::StartsWith => TypedPredicate::StartsWith(value.text.clone()),
                    TextMatch::EndsWith => TypedPredicate::EndsWith(value.text.clone()),
                })
            }
            Predicate::Pattern(regex) if kind != Kind::Time => {
                Ok(TypedPredicate::Matches(Arc::clone(regex)))
            }
            Predicate::Text(..) | Predicate::Pattern(_) => {
                let what = if kind == Kind::Time { "a time" } else { "a number" };
                let message = format!("{name} is {what}, not text; compare it with ==, < or >");
                Err(FilterError::new(self.range, message))
            }
        }
    }
}

fn compare(
    name: &str,
    kind: Kind,
    order: Comparison,
    value: &Literal,
    zone: Option<&Arc<ZoneTable>>,
) -> Result<TypedPredicate, FilterError> {
    match kind {
        Kind::Int | Kind::Float => Ok(TypedPredicate::Number(order, value.as_number(name)?)),
        Kind::Time => Ok(TypedPredicate::Time(order, value.as_time(zone)?)),
        Kind::Text if order != Comparison::Equal && !value.quoted && value.number().is_some() => {
            let message = format!(
                "{name} is text, which has no numeric order; use == or !=, or quote the value to \
                 compare it as text"
            );
            Err(FilterError::new(value.range, message))
        }
        Kind::Text => Ok(TypedPredicate::Text(order, value.text.clone())),
        Kind::Any => Ok(value.of_any(order)),
    }
}

fn one_of(
    name: &str,
    kind: Kind,
    values: &Arc<[Literal]>,
    zone: Option<&Arc<ZoneTable>>,
) -> Result<TypedPredicate, FilterError> {
    let others = || values.iter().filter(|value| !value.is_null());
    let check = match kind {
        Kind::Int | Kind::Float => {
            let found = others().map(|value| value.as_number(name));
            TypedPredicate::OneOfNumbers(all_or_first_error(found)?)
        }
        Kind::Time => {
            let found = others().map(|value| value.as_time(zone));
            TypedPredicate::OneOfTimes(all_or_first_error(found)?)
        }
        Kind::Any => {
            let all = others().map(|value| value.of_any(Comparison::Equal));
            TypedPredicate::AnyOf(all.collect())
        }
        Kind::Text if others().count() == values.len() => {
            TypedPredicate::OneOfTexts(values.clone())
        }
        Kind::Text => TypedPredicate::OneOfTexts(others().cloned().collect()),
    };
    let has_null = others().count() < values.len();
    Ok(if has_null { TypedPredicate::OrMissing(Box::new(check)) } else { check })
}

/// Returns all values, or the error that comes first in the expression: the values are sorted, so
/// they are in another order.
fn all_or_first_error<T>(
    found: impl Iterator<Item = Result<T, FilterError>>,
) -> Result<Vec<T>, FilterError> {
    let mut first: Option<FilterError> = None;
    let mut values = Vec::new();
    for value in found {
        match value {
            Ok(value) => values.push(value),
            Err(error) if first.as_ref().is_none_or(|known| error.start < known.start) => {
                first = Some(error);
            }
            Err(_) => {}
        }
    }
    first.map_or(Ok(values), Err)
}

impl TypedPredicate {
    /// Whether the condition is true of a value. It is false for a value of another type, which an
    /// alternative of the format may have.
    #[inline]
    pub(super) fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Missing, value) => value == Value::Null,
            (Self::OrMissing(check), value) => value == Value::Null || check.holds(value),
            (Self::Text(order, expected), Value::Text(text)) => order.holds(text.cmp(expected)),
            (Self::Time(order, expected), Value::Time(time)) => order.holds(time.cmp(expected)),
            (Self::Number(order, expected), Value::Int(_) | Value::Float(_)) => {
                expected.compared(value).is_some_and(|found| order.holds(found))
            }
            (Self::OneOfNumbers(all), Value::Int(_) | Value::Float(_)) => {
                all.iter().any(|expected| expected.compared(value).is_some_and(Ordering::is_eq))
            }
            (Self::OneOfTexts(all), Value::Text(text)) => {
                all.binary_search_by(|expected| (*expected.text).cmp(text)).is_ok()
            }
            (Self::OneOfTimes(all), Value::Time(time)) => all.contains(&time),
            (Self::AnyNumber(order, expected, large), value) => {
                compared(value, *expected, *large).is_some_and(|found| order.holds(found))
            }
            (Self::AnyOf(all), value) => all.iter().any(|check| check.holds(value)),
            (Self::Json(expected), Value::Json(text)) => **expected == *text,
            (
                Self::Contains(_) | Self::StartsWith(_) | Self::EndsWith(_) | Self::Matches(_),
                Value::Int(_) | Value::Large(_) | Value::Float(_),
            ) => self.holds_for_number(value),
            (Self::Contains(part), Value::Text(text) | Value::Json(text)) => {
                part.find(text).is_some()
            }
            (Self::StartsWith(part), Value::Text(text) | Value::Json(text)) => {
                text.starts_with(part)
            }
            (Self::EndsWith(part), Value::Text(text) | Value::Json(text)) => text.ends_with(part),
            (Self::Matches(regex), Value::Text(text) | Value::Json(text)) => regex.is_match(text),
            _ => false,
        }
    }

    /// Whether the text of a number fits.
    #[cold]
    fn holds_for_number(&self, value: Value<'_>) -> bool {
        let text = match value {
            Value::Int(number) => number.to_string(),
            Value::Large(number) => number.to_string(),
            Value::Float(number) => format!("{number:?}"),
            _ => return false,
        };
        self.holds(Value::Text(text.as_bytes()))
    }
}

/// Compares a value of any kind with a number.
fn compared(value: Value<'_>, expected: Number, large: Option<i128>) -> Option<Ordering> {
    if let (Value::Text(text) | Value::Json(text), Some(expected)) = (value, large)
        && let Some(found) = large_int(text)
    {
        return Some(found.cmp(&expected));
    }
    expected.compared(value.or_number())
}

impl Number {
    /// Compares a value with the number, exactly, however large they are.
    fn compared(self, value: Value<'_>) -> Option<Ordering> {
        match (value, self) {
            (Value::Int(value), Self::Int(expected)) => Some(value.cmp(&expected)),
            (Value::Int(value), Self::Float(expected)) => Some(int_to_float(value, expected)),
            (Value::Float(value), Self::Int(expected)) => {
                Some(int_to_float(expected, value).reverse())
            }
            (Value::Float(value), Self::Float(expected)) => value.partial_cmp(&expected),
            _ => None,
        }
    }
}
