//! The aggregates of a query and the columns that they share.

use super::list::{AGGREGATES, AcceptedValues, AggregateInfo, AggregateSpec};
use super::{Cell, Column, Input, Scope, Totals};
use crate::ground::{Kind, Value, quoted};
use crate::windows::keys::Seed;

/// The aggregates of a query.
#[derive(Debug, Default)]
pub struct Plan {
    specs: Vec<Planned>,
    fields: Vec<String>,
    conditions: Vec<String>,
    columns: Vec<SharedColumn>,
}

#[derive(Clone, Debug)]
struct Planned {
    spec: AggregateSpec,
    info: Option<&'static AggregateInfo>,
    /// Its column; the count of events has none.
    column: Option<usize>,
}

#[derive(Debug)]
struct SharedColumn {
    column: Box<dyn Column>,
    /// Identifies the column: the aggregate, its fields and its error.
    name: String,
    /// The place of its condition in the plan, if it reads one.
    condition: Option<usize>,
    /// The places of its fields in the plan.
    value: usize,
    second: Option<usize>,
    /// Whether text that is a number is read as that number.
    numeric: bool,
}

/// An aggregate that cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(pub String);

impl Clone for Plan {
    fn clone(&self) -> Self {
        let columns = self.columns.iter().map(|shared| SharedColumn {
            column: shared.column.fresh(),
            name: shared.name.clone(),
            ..*shared
        });
        Self {
            specs: self.specs.clone(),
            fields: self.fields.clone(),
            conditions: self.conditions.clone(),
            columns: columns.collect(),
        }
    }
}

impl Plan {
    /// Looks up each aggregate and finds a column to share. Values are hashed with the seed.
    pub fn new(specs: Vec<AggregateSpec>, seed: &Seed) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for spec in specs {
            // Counting events needs no column.
            if spec.fields.is_empty() && COUNTS.contains(&spec.function.as_str()) {
                plan.specs.push(Planned { spec, info: None, column: None });
                continue;
            }
            let info = AGGREGATES.iter().find(|info| info.name == spec.function);
            let info =
                info.ok_or_else(|| PlanError(format!("unknown aggregate '{}'", spec.function)))?;
            if spec.fields.len() != info.fields {
                let (expected, found) = (info.fields, spec.fields.len());
                let plural = if expected == 1 { "field" } else { "fields" };
                let function = &spec.function;
                let message = format!("{function}: expected {expected} {plural}, found {found}");
                return Err(PlanError(message));
            }
            let is_alike = |planned: &&Planned| {
                planned.info.is_some_and(|other| other.column == info.column)
                    && planned.spec.fields == spec.fields
                    && planned.spec.error.to_bits() == spec.error.to_bits()
            };
            let shared = plan.specs.iter().find(is_alike).and_then(|planned| planned.column);
            let column = shared.unwrap_or_else(|| {
                let names = if info.conditional { &mut plan.conditions } else { &mut plan.fields };
                let mut places = spec.fields.iter().map(|name| place_of(names, name));
                let first = places.next().unwrap_or(0);
                plan.columns.push(SharedColumn {
                    column: (info.make)(&spec, seed),
                    name: name_of(info.column, &spec),
                    condition: info.conditional.then_some(first),
                    value: first,
                    second: places.next(),
                    numeric: info.accepts != AcceptedValues::All,
                });
                plan.columns.len() - 1
            });
            plan.specs.push(Planned { spec, info: Some(info), column: Some(column) });
        }
        Ok(plan)
    }

    /// Returns a plan that only counts events.
    pub fn counting() -> Self {
        let spec = AggregateSpec {
            name: "count".to_owned(),
            function: "count".to_owned(),
            fields: Vec::new(),
            number: 0.0,
            error: 0.0,
        };
        Self { specs: vec![Planned { spec, info: None, column: None }], ..Self::default() }
    }

    /// Returns the fields that the aggregates read.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Returns the conditions that the aggregates read.
    pub fn conditions(&self) -> &[String] {
        &self.conditions
    }

    /// Returns whether the plan only counts events.
    pub(crate) fn is_count(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the aggregates in order.
    pub fn specs(&self) -> impl ExactSizeIterator<Item = &AggregateSpec> {
        self.specs.iter().map(|planned| &planned.spec)
    }

    /// Returns the kind of each result, given the kinds of the plan's fields. Fails if an aggregate
    /// does not accept the values of its field.
    pub fn kinds(&self, of_fields: &[Kind]) -> Result<Vec<Kind>, PlanError> {
        self.specs.iter().map(|planned| self.kind(planned, of_fields)).collect()
    }

    /// Returns, for each result, the flag of the field that it reads.
    pub(crate) fn of_fields(&self, flags: &[bool]) -> Vec<bool> {
        let of = |planned: &Planned| {
            let field = planned.spec.fields.first()?;
            flags.get(self.fields.iter().position(|info| info == field)?).copied()
        };
        self.specs.iter().map(|planned| of(planned).unwrap_or(false)).collect()
    }

    /// Returns which results are lists.
    pub(crate) fn lists(&self) -> impl Iterator<Item = bool> {
        self.specs.iter().map(|planned| planned.info.is_some_and(|info| info.lists))
    }

    fn kind(&self, planned: &Planned, of_fields: &[Kind]) -> Result<Kind, PlanError> {
        let Some(info) = planned.info else {
            return Ok(if planned.spec.function == COUNT { Kind::Int } else { Kind::Float });
        };
        for field in &planned.spec.fields {
            let kind = self.kind_of(field, of_fields);
            if !info.accepts.accepts(kind) {
                return Err(PlanError(format!(
                    "{}: expected {}, found {} in the field {}; choose another field or another \
                     aggregate",
                    planned.spec.function,
                    info.accepts.describe(),
                    kind.name(),
                    quoted(field),
                )));
            }
        }
        Ok((info.output)(self.field_kind(planned, of_fields)))
    }

    fn field_kind(&self, planned: &Planned, of_fields: &[Kind]) -> Kind {
        planned.spec.fields.first().map_or(Kind::Int, |field| self.kind_of(field, of_fields))
    }

    fn kind_of(&self, field: &str, of_fields: &[Kind]) -> Kind {
        let place = self.fields.iter().position(|info| info == field);
        place.and_then(|place| of_fields.get(place)).copied().unwrap_or(Kind::Text)
    }

    /// Returns the names of the columns, such as `sum(size)`, with the error if there is one.
    pub fn column_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|shared| shared.name.as_str())
    }

    /// Returns how a pane table holds each aggregate.
    pub(crate) fn pane_columns(&self) -> Vec<PaneColumn<'_>> {
        let column = |(place, planned): (usize, &Planned)| {
            let Some(shared) = planned.column.and_then(|column| self.columns.get(column)) else {
                return match planned.spec.function.as_str() {
                    COUNT => PaneColumn::Count,
                    _ => PaneColumn::Partial { name: EVENTS, fields: Vec::new(), column: None },
                };
            };
            let is_first = |other: &Planned| other.column != planned.column;
            let fields = if shared.condition.is_some() { None } else { Some(shared.value) };
            PaneColumn::Partial {
                name: &shared.name,
                fields: fields.into_iter().chain(shared.second).collect(),
                column: planned.column.filter(|_| self.specs[..place].iter().all(is_first)),
            }
        };
        self.specs.iter().enumerate().map(column).collect()
    }

    /// Returns empty columns for a pane or a delta.
    pub(crate) fn columns(&self) -> Vec<Box<dyn Column>> {
        self.columns.iter().map(|shared| shared.column.fresh()).collect()
    }

    /// Returns empty totals. With `grows` no pane ever leaves them.
    pub(crate) fn totals(&self, grows: bool) -> Vec<Box<dyn Totals>> {
        self.columns.iter().map(|shared| shared.column.totals(grows)).collect()
    }

    /// Adds an event to an entry of the columns.
    pub(crate) fn add(
        &self,
        columns: &mut [Box<dyn Column>],
        entry: usize,
        time: Option<i64>,
        event: &mut impl Event,
    ) {
        for (shared, column) in self.columns.iter().zip(columns) {
            // Aggregates of two fields read numbers, and a number does not borrow the event.
            let second = match shared.second.map(|place| event.value(place).or_number()) {
                Some(Value::Int(number)) => Value::Int(number),
                Some(Value::Large(number)) => Value::Large(number),
                Some(Value::Float(number)) => Value::Float(number),
                _ => Value::Null,
            };
            let mut value = match shared.condition {
                None => event.value(shared.value),
                Some(place) if event.holds(place) => Value::Int(1),
                Some(_) => Value::Null,
            };
            if shared.numeric {
                value = value.or_number();
            }
            column.add(entry, &Input { value, second, time });
        }
    }

    /// Computes each result of all keys together, where merging them costs little; else null. For
    /// a share it is what the shares are of.
    pub(crate) fn wholes(&self, totals: &[Box<dyn Totals>], context: &KeyContext<'_>) -> Vec<Cell> {
        let columns: Vec<_> = totals.iter().map(|totals| totals.whole()).collect();
        let whole = |planned: &Planned| {
            let scope = Scope { whole: Some(1.0), ..self.scope(planned, context, None) };
            match planned.column.map(|column| columns.get(column)) {
                Some(Some(Some(whole))) => whole.emit(0, &scope),
                Some(_) => Cell::Null,
                None => scope.of_events(),
            }
        };
        self.specs.iter().map(whole).collect()
    }

    fn scope<'a>(
        &self,
        planned: &'a Planned,
        context: &KeyContext<'_>,
        whole: Option<&Cell>,
    ) -> Scope<'a> {
        Scope {
            spec: &planned.spec,
            kind: self.field_kind(planned, context.kinds),
            seconds: context.seconds,
            count: context.count,
            whole: whole.filter(|cell| **cell != Cell::Null).map(Cell::number),
        }
    }

    /// Returns whether a result of one key depends on other keys.
    pub(crate) fn is_share(&self, place: usize) -> bool {
        self.specs.get(place).is_some_and(|planned| planned.spec.function == SHARE)
    }

    /// Computes the result of the aggregate at `place` for a key.
    pub(crate) fn emit(
        &self,
        place: usize,
        totals: &[Box<dyn Totals>],
        key: u32,
        context: &KeyContext<'_>,
    ) -> Cell {
        let Some(planned) = self.specs.get(place) else { return Cell::Null };
        let scope = self.scope(planned, context, context.wholes.get(place));
        match planned.column.and_then(|column| totals.get(column)) {
            Some(totals) => totals.emit(key, &scope),
            None => scope.of_events(),
        }
    }
}

/// A column of a pane table.
pub(crate) enum PaneColumn<'a> {
    /// The number of events.
    Count,
    /// A partial.
    Partial {
        /// The name of the aggregate's column.
        name: &'a str,
        /// The places of its fields in the plan.
        fields: Vec<usize>,
        /// The column of the partial; `None` if an aggregate before it has it, or if the number of
        /// events is all it needs.
        column: Option<usize>,
    },
}

/// An event that gives its values by the place of their field.
pub(crate) trait Event {
    /// Returns the value of the field at this place.
    fn value(&mut self, place: usize) -> Value<'_>;

    /// Returns whether the condition at this place is true.
    fn holds(&mut self, _place: usize) -> bool {
        false
    }
}

impl Event for &[Value<'_>] {
    #[inline]
    fn value(&mut self, place: usize) -> Value<'_> {
        self.get(place).copied().unwrap_or(Value::Null)
    }
}

/// The window and the key that a result is computed for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyContext<'a> {
    /// The kinds of the plan's fields.
    pub(crate) kinds: &'a [Kind],
    /// The length of the window.
    pub(crate) seconds: f64,
    /// The number of events of the key.
    pub(crate) count: u64,
    /// The results of all keys together.
    pub(crate) wholes: &'a [Cell],
}

const COUNT: &str = "count";
const SHARE: &str = "share";

/// The column of the aggregates that need no field.
pub(crate) const EVENTS: &str = "count()";

/// The aggregates that need no field.
const COUNTS: [&str; 3] = [COUNT, "rate", SHARE];

fn name_of(column: &str, spec: &AggregateSpec) -> String {
    name_of_column(column, &spec.fields, spec.error)
}

/// Returns the name of a column of these fields.
pub(crate) fn name_of_column(column: &str, fields: &[String], error: f64) -> String {
    let mut of = fields.to_vec();
    // Most aggregates have no error.
    if error > 0.0 {
        of.push(format!("error={error}"));
    }
    format!("{column}({})", of.join(", "))
}

fn place_of(fields: &mut Vec<String>, field: &str) -> usize {
    fields.iter().position(|info| info == field).unwrap_or_else(|| {
        fields.push(field.to_owned());
        fields.len() - 1
    })
}
