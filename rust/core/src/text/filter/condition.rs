//! One condition on one field.

use std::cmp::Ordering;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::{FilterError, SourceRange};
use crate::ground::{Kind, Value, int_to_float};
use crate::text::format::time_of;

/// A condition as it is written.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// Which of the filter's fields it is about.
    pub(super) field: usize,
    /// Where that stands.
    pub(super) place: SourceRange,
    pub(super) predicate: Predicate,
}

#[derive(Clone, Debug)]
pub(super) enum Predicate {
    Compare(Comparison, Literal),
    /// Ordered by their texts.
    OneOf(Arc<[Literal]>),
    Text(TextMatch, Literal),
}

impl Predicate {
    pub(super) fn one_of(mut values: Vec<Literal>) -> Self {
        values.sort_by(|one, other| one.text.cmp(&other.text));
        Self::OneOf(values.into())
    }
}

/// A value as it is written.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    pub(super) text: Box<[u8]>,
    pub(super) quoted: bool,
    pub(super) place: SourceRange,
}

/// How a value has to stand to another.
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

/// Where in a text another one has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextMatch {
    Contains,
    StartsWith,
    EndsWith,
}

/// A number of a literal, exactly.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

/// A condition whose field has a type.
#[derive(Clone, Debug)]
pub(super) enum TypedPredicate {
    /// As of a missing value.
    Never,
    Missing,
    Number(Comparison, Number),
    Text(Comparison, Box<[u8]>),
    Time(Comparison, i64),
    OneOfNumbers(Vec<Number>),
    /// Ordered by their texts.
    OneOfTexts(Arc<[Literal]>),
    OneOfTimes(Vec<i64>),
    /// One of these, or missing.
    OrMissing(Box<TypedPredicate>),
    Contains(Box<Finder<'static>>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
}

impl Literal {
    pub(super) fn is_null(&self) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(b"null")
    }

    fn shown(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.text))
    }

    fn number(&self) -> Option<Number> {
        let text = std::str::from_utf8(&self.text).ok()?;
        // Not `inf` and `nan`, which Rust reads too.
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

    fn as_number(&self, name: &str) -> Result<Number, FilterError> {
        self.number().ok_or_else(|| {
            let class = match &*self.text {
                [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] if name == "status" => Some(digit),
                _ => None,
            };
            let mend = class.map_or_else(
                || "write one, such as 500 or 0.5".to_owned(),
                |&digit| format!("write status_class == {}", char::from(digit)),
            );
            let message = format!("{name} is a number, and {} is none; {mend}", self.shown());
            FilterError::new(self.place, message)
        })
    }

    fn as_time(&self, name: &str) -> Result<i64, FilterError> {
        time_of(&self.text).ok_or_else(|| {
            let message = format!(
                "{name} is a point in time, and {} is none; write one, such as \
                 '2015-05-17 10:05:03' (UTC) or 2015-05-17T10:05:03+02:00",
                self.shown()
            );
            FilterError::new(self.place, message)
        })
    }
}

impl Condition {
    /// What it asks of a field of this name and type.
    pub(super) fn check(&self, name: &str, kind: Kind) -> Result<TypedPredicate, FilterError> {
        match &self.predicate {
            Predicate::Compare(_, value) if value.is_null() => Ok(TypedPredicate::Missing),
            Predicate::Compare(order, value) => compare(name, kind, *order, value),
            Predicate::OneOf(values) => one_of(name, kind, values),
            Predicate::Text(part, value) if kind == Kind::Text => Ok(match part {
                TextMatch::Contains => {
                    TypedPredicate::Contains(Box::new(Finder::new(&*value.text).into_owned()))
                }
                TextMatch::StartsWith => TypedPredicate::StartsWith(value.text.clone()),
                TextMatch::EndsWith => TypedPredicate::EndsWith(value.text.clone()),
            }),
            Predicate::Text(..) => {
                let what = if kind == Kind::Time { "a point in time" } else { "a number" };
                let message = format!(
                    "{name} is {what}, which has no text to look into; compare it: ==, <, >"
                );
                Err(FilterError::new(self.place, message))
            }
        }
    }
}

fn compare(
    name: &str,
    kind: Kind,
    order: Comparison,
    value: &Literal,
) -> Result<TypedPredicate, FilterError> {
    match kind {
        Kind::Int | Kind::Float => Ok(TypedPredicate::Number(order, value.as_number(name)?)),
        Kind::Time => Ok(TypedPredicate::Time(order, value.as_time(name)?)),
        Kind::Text if order != Comparison::Equal && !value.quoted && value.number().is_some() => {
            let message = format!(
                "{name} is text here, which has no order among numbers; write == or !=, or quotes \
                 to compare texts"
            );
            Err(FilterError::new(value.place, message))
        }
        Kind::Text => Ok(TypedPredicate::Text(order, value.text.clone())),
    }
}

fn one_of(name: &str, kind: Kind, values: &Arc<[Literal]>) -> Result<TypedPredicate, FilterError> {
    let others = || values.iter().filter(|value| !value.is_null());
    let check = match kind {
        Kind::Int | Kind::Float => {
            let found = others().map(|value| value.as_number(name));
            TypedPredicate::OneOfNumbers(all_or_first_error(found)?)
        }
        Kind::Time => TypedPredicate::OneOfTimes(all_or_first_error(
            others().map(|value| value.as_time(name)),
        )?),
        Kind::Text if others().count() == values.len() => {
            TypedPredicate::OneOfTexts(values.clone())
        }
        Kind::Text => TypedPredicate::OneOfTexts(others().cloned().collect()),
    };
    let has_null = others().count() < values.len();
    Ok(if has_null { TypedPredicate::OrMissing(Box::new(check)) } else { check })
}

/// The values stand in another order than in the expression, whose first mistake is told.
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
    /// Whether it is true of a value. One of another type than the check is for, as a format
    /// within several may have it, is equal to none.
    #[inline]
    pub(super) fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Missing, value) => value == Value::Null,
            (Self::OrMissing(check), value) => value == Value::Null || check.holds(value),
            (Self::Text(order, wanted), Value::Text(text)) => order.holds(text.cmp(wanted)),
            (Self::Time(order, wanted), Value::Time(time)) => order.holds(time.cmp(wanted)),
            (Self::Number(order, wanted), Value::Int(_) | Value::Float(_)) => {
                wanted.compared(value).is_some_and(|found| order.holds(found))
            }
            (Self::OneOfNumbers(all), Value::Int(_) | Value::Float(_)) => {
                all.iter().any(|wanted| wanted.compared(value).is_some_and(Ordering::is_eq))
            }
            (Self::OneOfTexts(all), Value::Text(text)) => {
                all.binary_search_by(|wanted| (*wanted.text).cmp(text)).is_ok()
            }
            (Self::OneOfTimes(all), Value::Time(time)) => all.contains(&time),
            (Self::Contains(part), Value::Text(text)) => part.find(text).is_some(),
            (Self::StartsWith(part), Value::Text(text)) => text.starts_with(part),
            (Self::EndsWith(part), Value::Text(text)) => text.ends_with(part),
            _ => false,
        }
    }
}

impl Number {
    /// How a value stands to it, exactly, however large they are.
    fn compared(self, value: Value<'_>) -> Option<Ordering> {
        match (value, self) {
            (Value::Int(value), Self::Int(wanted)) => Some(value.cmp(&wanted)),
            (Value::Int(value), Self::Float(wanted)) => Some(int_to_float(value, wanted)),
            (Value::Float(value), Self::Int(wanted)) => Some(int_to_float(wanted, value).reverse()),
            (Value::Float(value), Self::Float(wanted)) => value.partial_cmp(&wanted),
            _ => None,
        }
    }
}
