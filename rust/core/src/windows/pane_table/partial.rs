//! The aggregates of a row of a pane table: each cell says what it is, so that a table that was
//! grouped, stored or sent elsewhere is never taken for another.
//!
//! A cell holds the version of the format, a checksum of the aggregate's column, the kinds of its
//! fields as one byte each, the number of events as a number, and the partial. Aggregates that share a column leave the partial to
//! the first of them.

use crate::ground::{InputError, quoted};
use crate::windows::aggregate::{AGGREGATES, AggregateInfo, EVENTS, PaneColumn, name_of_column};
use crate::windows::export::{
    Layout, OLDEST_VERSION, SeenKind, VERSION, code_of, kind_by, merged_kind, name_of,
};
use crate::windows::varint::{get_varint, put_varint, take};

/// What bytes are that no aggregate wrote.
pub(super) const NONE: &str = "bytes that are none";

/// How the cells of an aggregate begin.
#[derive(Debug)]
pub(super) struct PartialCell {
    /// The name of its column, such as `sum(size)`.
    name: String,
    checksum: [u8; 4],
    /// The places of its fields in the plan.
    fields: Vec<usize>,
    /// The column of the partial; `None` if another cell of the row has it.
    pub(super) column: Option<usize>,
    /// The bytes before the number of events in the last cell that was read.
    known: Vec<u8>,
}

impl PartialCell {
    /// Returns the cells of a row: `None` for the count of events, which is a number.
    pub(super) fn of(layout: &Layout) -> Vec<Option<Self>> {
        let cell = |column: PaneColumn<'_>| match column {
            PaneColumn::Count => None,
            PaneColumn::Partial { name, fields, column } => {
                let (name, known) = (name.to_owned(), Vec::new());
                Some(Self { checksum: checksum(&name), name, fields, column, known })
            }
        };
        layout.plan.pane_columns().into_iter().map(cell).collect()
    }

    /// Returns the bytes before the number of events.
    pub(super) fn head(&self, values: &[SeenKind]) -> Vec<u8> {
        let mut head = vec![VERSION];
        head.extend(self.checksum);
        head.extend(self.fields.iter().map(|&place| code_of(values.get(place).copied().flatten())));
        head
    }

    /// Reads the number of events from the front of a cell, and merges the kinds of its fields into
    /// `values`.
    #[inline]
    pub(super) fn read<'a>(
        &mut self,
        cell: &'a [u8],
        values: &mut [SeenKind],
        layout: &Layout,
        fields: &[&str],
    ) -> Result<(u64, &'a [u8]), InputError> {
        let known = &self.known;
        let rest = cell.strip_prefix(&known[..]).filter(|_| !known.is_empty());
        let mut rest = match rest {
            Some(rest) => rest,
            None => self.read_head(cell, values, layout, fields)?,
        };
        let events = get_varint(&mut rest).ok_or_else(|| self.damaged(NONE))?;
        Ok((events, rest))
    }

    #[cold]
    fn read_head<'a>(
        &mut self,
        cell: &'a [u8],
        values: &mut [SeenKind],
        layout: &Layout,
        fields: &[&str],
    ) -> Result<&'a [u8], InputError> {
        let mut rest = cell;
        let [version] = take(&mut rest).ok_or_else(|| self.damaged(NONE))?;
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(InputError::Value(format!(
                "expected a partial of version {VERSION}, found version {version}; use one version \
                 of tailrace on all machines"
            )));
        }
        let found: [u8; 4] = take(&mut rest).ok_or_else(|| self.damaged(NONE))?;
        if found != self.checksum {
            return Err(InputError::Value(format!(
                "expected a partial of {}, found {}; give both the same aggregates in the same \
                 order, with the same errors",
                self.name,
                layout.name_by(found, fields)
            )));
        }
        for &place in &self.fields {
            let [code] = take(&mut rest).ok_or_else(|| self.damaged(NONE))?;
            let kind = kind_by(code).ok_or_else(|| self.damaged(NONE))?;
            let Some(here) = values.get_mut(place) else { return Err(self.damaged(NONE)) };
            *here = merged_kind(*here, kind, false).ok_or_else(|| {
                let field = layout.plan.fields().get(place).map_or("", String::as_str);
                let (expected, found) = (name_of(*here), name_of(kind));
                InputError::Value(format!(
                    "expected {expected} in the field {}, found {found}; give it one type in all \
                     formats",
                    quoted(field)
                ))
            })?;
        }
        self.known = cell[..cell.len() - rest.len()].to_vec();
        Ok(rest)
    }

    /// The error of a cell that is not a partial of this aggregate.
    #[cold]
    pub(super) fn damaged(&self, found: &str) -> InputError {
        InputError::Value(format!(
            "expected a partial of {}, found {found}; pass the column as it was made",
            self.name
        ))
    }
}

/// Appends the number of events to the bytes before it.
pub(super) fn put_head(out: &mut Vec<u8>, head: &[u8], events: u64) {
    out.extend_from_slice(head);
    put_varint(out, events);
}

impl Layout {
    /// Describes the aggregate with a checksum, if it is one of these fields or of the plan's.
    fn name_by(&self, found: [u8; 4], fields: &[&str]) -> String {
        const ERRORS: [f64; 8] = [0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
        let own = self.plan.fields().iter().chain(self.keys.iter().map(|key| &key.name));
        let names: Vec<String> =
            own.cloned().chain(fields.iter().map(|&field| field.to_owned())).collect();
        let errors: Vec<f64> = self.plan.specs().map(|spec| spec.error).chain(ERRORS).collect();
        let is_it = |name: &String| checksum(name) == found;
        let of = |info: &AggregateInfo, fields: &[String]| {
            errors.iter().map(|&error| name_of_column(info.column, fields, error)).find(is_it)
        };
        let of_fields = |info: &AggregateInfo| match info.fields {
            1 => names.iter().find_map(|name| of(info, std::slice::from_ref(name))),
            _ => names.iter().find_map(|one| {
                names.iter().find_map(|other| of(info, &[one.clone(), other.clone()]))
            }),
        };
        let events = || Some(EVENTS.to_owned()).filter(is_it);
        let known = self.plan.column_names().map(str::to_owned).find(is_it).or_else(events);
        let name = known.or_else(|| AGGREGATES.iter().find_map(of_fields));
        name.map_or_else(|| "one of another aggregate".to_owned(), |name| format!("one of {name}"))
    }
}

/// The 32-bit FNV-1a hash of a name.
fn checksum(name: &str) -> [u8; 4] {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    name.bytes().fold(0x811c_9dc5, step).to_le_bytes()
}
