//! Which aggregates are asked, and the columns that they share.

use super::list::{Ask, Known, LIST};
use super::{Cell, Column, Input, Scope, Totals};
use crate::ground::{Kind, Value};
use crate::windows::keys::Seed;

/// The aggregates of a query.
#[derive(Debug, Default)]
pub struct Plan {
    asks: Vec<Asked>,
    fields: Vec<String>,
    columns: Vec<Shared>,
}

#[derive(Clone, Debug)]
struct Asked {
    ask: Ask,
    known: Option<&'static Known>,
    /// Its column; the count of events has none.
    column: Option<usize>,
}

#[derive(Debug)]
struct Shared {
    column: Box<dyn Column>,
    /// What tells it from others: what it is of and with which error.
    name: String,
    /// The places of its fields.
    value: usize,
    second: Option<usize>,
}

/// An aggregate that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(pub String);

impl Clone for Plan {
    fn clone(&self) -> Self {
        let columns = self.columns.iter().map(|shared| Shared {
            column: shared.column.fresh(),
            name: shared.name.clone(),
            value: shared.value,
            second: shared.second,
        });
        Self { asks: self.asks.clone(), fields: self.fields.clone(), columns: columns.collect() }
    }
}

impl Plan {
    /// Looks each aggregate up, and which column it can share with others. Values are hashed by
    /// the seed.
    pub fn new(asks: Vec<Ask>, seed: &Seed) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for ask in asks {
            // An event needs no column to be counted.
            if ask.fields.is_empty() && COUNTS.contains(&ask.what.as_str()) {
                plan.asks.push(Asked { ask, known: None, column: None });
                continue;
            }
            let known = LIST.iter().find(|known| known.name == ask.what);
            let known = known.ok_or_else(|| PlanError(format!("no aggregate {:?}", ask.what)))?;
            if ask.fields.len() != known.fields {
                let (has, wants) = (ask.fields.len(), known.fields);
                let plural = if wants == 1 { "field" } else { "fields" };
                let message = format!("{} takes {wants} {plural}, not {has}", ask.what);
                return Err(PlanError(message));
            }
            let is_alike = |asked: &&Asked| {
                asked.known.is_some_and(|other| other.column == known.column)
                    && asked.ask.fields == ask.fields
                    && asked.ask.error.to_bits() == ask.error.to_bits()
            };
            let shared = plan.asks.iter().find(is_alike).and_then(|asked| asked.column);
            let column = shared.unwrap_or_else(|| {
                let mut places = ask.fields.iter().map(|field| place_of(&mut plan.fields, field));
                plan.columns.push(Shared {
                    column: (known.make)(&ask, seed),
                    name: name_of(known.column, &ask),
                    value: places.next().unwrap_or(0),
                    second: places.next(),
                });
                plan.columns.len() - 1
            });
            plan.asks.push(Asked { ask, known: Some(known), column: Some(column) });
        }
        Ok(plan)
    }

    /// The count of events and nothing else.
    pub fn counting() -> Self {
        let ask = Ask {
            name: "count".to_owned(),
            what: "count".to_owned(),
            fields: Vec::new(),
            number: 0.0,
            error: 0.0,
        };
        Self { asks: vec![Asked { ask, known: None, column: None }], ..Self::default() }
    }

    /// The fields whose values are wanted.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Whether events are counted and nothing else.
    pub(crate) fn is_count(&self) -> bool {
        self.columns.is_empty()
    }

    /// What is asked.
    pub fn asks(&self) -> impl ExactSizeIterator<Item = &Ask> {
        self.asks.iter().map(|asked| &asked.ask)
    }

    /// What the answers are, where the fields have values of these kinds, or which aggregate does
    /// not take its values.
    pub fn kinds(&self, of_fields: &[Kind]) -> Result<Vec<Kind>, PlanError> {
        self.asks.iter().map(|asked| self.kind(asked, of_fields)).collect()
    }

    /// Of each answer, what there is of the field that it is of.
    pub(crate) fn of_fields(&self, there: &[bool]) -> Vec<bool> {
        let of = |asked: &Asked| {
            let field = asked.ask.fields.first()?;
            there.get(self.fields.iter().position(|known| known == field)?).copied()
        };
        self.asks.iter().map(|asked| of(asked).unwrap_or(false)).collect()
    }

    /// Which answers are lists.
    pub(crate) fn lists(&self) -> impl Iterator<Item = bool> {
        self.asks.iter().map(|asked| asked.known.is_some_and(|known| known.lists))
    }

    fn kind(&self, asked: &Asked, of_fields: &[Kind]) -> Result<Kind, PlanError> {
        let Some(known) = asked.known else {
            return Ok(if asked.ask.what == RATE { Kind::Float } else { Kind::Int });
        };
        for field in &asked.ask.fields {
            let kind = self.kind_of(field, of_fields);
            if !known.takes.accepts(kind) {
                return Err(PlanError(format!(
                    "{} takes {}, and {field:?} is {}",
                    asked.ask.what,
                    known.takes.words(),
                    kind.name(),
                )));
            }
        }
        Ok((known.says)(self.field_kind(asked, of_fields)))
    }

    fn field_kind(&self, asked: &Asked, of_fields: &[Kind]) -> Kind {
        asked.ask.fields.first().map_or(Kind::Int, |field| self.kind_of(field, of_fields))
    }

    fn kind_of(&self, field: &str, of_fields: &[Kind]) -> Kind {
        let place = self.fields.iter().position(|known| known == field);
        place.and_then(|place| of_fields.get(place)).copied().unwrap_or(Kind::Text)
    }

    /// The names of its columns: `sum(size)`, or with the error that an answer may have.
    pub fn column_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|shared| shared.name.as_str())
    }

    /// Empty columns for a pane or a delta.
    pub(crate) fn columns(&self) -> Vec<Box<dyn Column>> {
        self.columns.iter().map(|shared| shared.column.fresh()).collect()
    }

    /// Empty totals, of panes that leave again or of what only grows.
    pub(crate) fn totals(&self, grows: bool) -> Vec<Box<dyn Totals>> {
        self.columns.iter().map(|shared| shared.column.totals(grows)).collect()
    }

    /// Adds an event to an entry of columns.
    pub(crate) fn add(
        &self,
        columns: &mut [Box<dyn Column>],
        entry: usize,
        time: Option<i64>,
        event: &mut impl Event,
    ) {
        for (shared, column) in self.columns.iter().zip(columns) {
            // Aggregates of two fields are of numbers, and a number does not borrow the event.
            let second = match shared.second.map(|place| event.value(place)) {
                Some(Value::Int(number)) => Value::Int(number),
                Some(Value::Float(number)) => Value::Float(number),
                _ => Value::Null,
            };
            column.add(entry, &Input { value: event.value(shared.value), second, time });
        }
    }

    /// What there is to say of a key, to what was asked at this place.
    pub(crate) fn emit(
        &self,
        place: usize,
        totals: &[Box<dyn Totals>],
        key: u32,
        about: &About<'_>,
    ) -> Cell {
        let Some(asked) = self.asks.get(place) else { return Cell::Null };
        let scope = Scope {
            ask: &asked.ask,
            kind: self.field_kind(asked, about.kinds),
            seconds: about.seconds,
            count: about.count,
        };
        match asked.column.and_then(|column| totals.get(column)) {
            Some(totals) => totals.emit(key, &scope),
            None if asked.ask.what == RATE => scope.per_second(),
            None => Cell::Int(scope.count.into()),
        }
    }
}

/// An event whose values are asked for.
pub(crate) trait Event {
    /// The value of the field at this place.
    fn value(&mut self, place: usize) -> Value<'_>;
}

impl Event for &[Value<'_>] {
    #[inline]
    fn value(&mut self, place: usize) -> Value<'_> {
        self.get(place).copied().unwrap_or(Value::Null)
    }
}

/// The window that an answer is of, and the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// What the values of the plan's fields are.
    pub(crate) kinds: &'a [Kind],
    /// How long the window is.
    pub(crate) seconds: f64,
    /// How many events of the key there are.
    pub(crate) count: u64,
}

const RATE: &str = "rate";

/// What can be asked of events without a field.
const COUNTS: [&str; 2] = ["count", RATE];

fn name_of(column: &str, ask: &Ask) -> String {
    let mut of = ask.fields.clone();
    // Most have none.
    if ask.error > 0.0 {
        of.push(format!("error={}", ask.error));
    }
    format!("{column}({})", of.join(", "))
}

fn place_of(fields: &mut Vec<String>, field: &str) -> usize {
    fields.iter().position(|known| known == field).unwrap_or_else(|| {
        fields.push(field.to_owned());
        fields.len() - 1
    })
}
