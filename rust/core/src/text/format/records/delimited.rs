//! Delimited text: CSV, TSV, and other formats with one byte between columns.
//!
//! Fields are quoted as in RFC 4180: a field that begins with a quote ends at the next single
//! quote, and two quotes in it are one. Blanks are part of their field. Quoted newlines are not
//! supported, as a line ends there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fast_columns::{self, FastColumn, FastColumnKind};
use super::super::field_type::{Encoding, FieldType};
use super::super::parsed::{FoundField, LineKind, Reject, Span};
use super::super::template::TemplateError;
use super::find::find_either;
use super::{bom_len, column, decode, empty_line, found, is_blank, own_type};
use crate::ground::quoted;

/// The format, with its columns if they are known.
#[derive(Clone, Debug)]
pub(crate) struct Delimited {
    delimiter: u8,
    found: Vec<FoundField>,
    names: ColumnNames,
}

/// Where the names of the columns come from.
#[derive(Clone, Debug)]
enum ColumnNames {
    /// The first line, which has not been read yet.
    Unknown,
    /// This header; the same line is a header wherever it occurs again.
    Header(Box<[u8]>),
    /// The format spec, and the first line has not been read yet: it may be a header.
    Given,
    /// The format spec; the first line is not a header.
    Settled,
}

impl Delimited {
    /// The format of logs whose first line names the columns.
    pub(crate) fn new(delimiter: u8) -> Self {
        Self { delimiter, found: Vec::new(), names: ColumnNames::Unknown }
    }

    /// The format of logs with these columns and no header. `columns` are names separated by
    /// commas, each optionally followed by a colon and a type.
    pub(crate) fn with_columns(delimiter: u8, columns: &str) -> Result<Self, TemplateError> {
        let mut all = Vec::new();
        let mut names = UniqueNames::default();
        let mut start = 0;
        for written in columns.split(',') {
            let (name, read) = column(written, start)?;
            let read = if written.contains(':') { read } else { own_type(name.trim()) };
            if !names.take(name.trim()) {
                let message = format!(
                    "duplicate column {}; give each column its own name",
                    quoted(name.trim())
                );
                return Err(TemplateError { start, end: start + written.len(), message });
            }
            all.push(found(name.trim(), read, Encoding::Csv));
            start += written.len() + 1;
        }
        Ok(Self { delimiter, found: all, names: ColumnNames::Given })
    }

    /// Whether the first line, which may be a header, has not been read yet.
    pub(crate) fn awaits_header(&self) -> bool {
        matches!(self.names, ColumnNames::Unknown | ColumnNames::Given)
    }

    /// The format after this line, if it is the first line.
    pub(crate) fn with_header(&self, line: &[u8]) -> Option<Self> {
        let line = trimmed(line);
        if !self.awaits_header() || is_blank(line) {
            return None;
        }
        if matches!(self.names, ColumnNames::Given) {
            let header = line[bom_len(line)..].into();
            let names = if self.names_columns(line) {
                ColumnNames::Header(header)
            } else {
                ColumnNames::Settled
            };
            return Some(Self { names, ..self.clone() });
        }
        let mut columns = Columns { line, delimiter: self.delimiter, at: Some(bom_len(line)) };
        let mut buffer = Vec::new();
        let mut all = Vec::new();
        let mut names = UniqueNames::default();
        while let Some(span) = columns.next().ok()? {
            let raw = span.of(line).unwrap_or_default();
            let name = decode::decoded(Encoding::Csv, raw, line, span.start(), &mut buffer);
            let name = String::from_utf8_lossy(name);
            let read = own_type(name.trim());
            let name = names.distinct(name.trim(), all.len() + 1);
            all.push(found(&name, read, Encoding::Csv));
        }
        let header = line[bom_len(line)..].into();
        Some(Self { delimiter: self.delimiter, found: all, names: ColumnNames::Header(header) })
    }

    /// Whether a line has the names of the columns, in any case.
    fn names_columns(&self, line: &[u8]) -> bool {
        let mut columns = Columns { line, delimiter: self.delimiter, at: Some(bom_len(line)) };
        let mut buffer = Vec::new();
        let is_name = |field: &FoundField| {
            let Ok(Some(span)) = columns.next() else { return false };
            let raw = span.of(line).unwrap_or_default();
            let name = decode::decoded(Encoding::Csv, raw, line, span.start(), &mut buffer);
            name.trim_ascii().eq_ignore_ascii_case(field.name.as_bytes())
        };
        self.found.iter().all(is_name) && columns.at.is_none()
    }

    /// The fields, in the order of the spans; none before the header.
    pub(crate) fn found(&self) -> &[FoundField] {
        &self.found
    }

    /// A fast matcher, if the columns are known and no number has to be checked. It does not
    /// recognize the header.
    pub(crate) fn columns(&self) -> Option<fast_columns::FastColumns> {
        if self.found.iter().any(|field| expected(&field.read).is_some()) {
            return None;
        }
        let last = self.found.len().checked_sub(1)?;
        let column = |field| FastColumn {
            field,
            kind: FastColumnKind::Unquoted { up_to: self.delimiter },
            delimiter: (field < last).then_some(self.delimiter),
        };
        Some(fast_columns::FastColumns::new((0..=last).map(column).collect()))
    }

    /// Finds the fields of a line, unless it is a header.
    pub(crate) fn split(&self, line: &[u8], spans: &mut [Span]) -> Result<LineKind, Reject> {
        let line = trimmed(line);
        if is_blank(line) {
            return Err(empty_line());
        }
        let mut columns = Columns { line, delimiter: self.delimiter, at: Some(bom_len(line)) };
        let surplus = match &self.names {
            ColumnNames::Unknown => {
                while columns.next()?.is_some() {}
                return Ok(LineKind::Header);
            }
            ColumnNames::Header(header) if line[bom_len(line)..] == **header => {
                return Ok(LineKind::Header);
            }
            ColumnNames::Given if self.names_columns(line) => return Ok(LineKind::Header),
            ColumnNames::Header(_) => "the end of the line (the header has no more columns)",
            ColumnNames::Given | ColumnNames::Settled => {
                "the end of the line (the format has no more columns)"
            }
        };
        for span in &mut *spans {
            *span = columns.next()?.ok_or(Reject::new(
                line.len(),
                match self.names {
                    ColumnNames::Given | ColumnNames::Settled => "as many columns as in the format",
                    _ => "as many columns as in the header",
                },
            ))?;
        }
        if let Some(at) = columns.at {
            return Err(Reject::new(at - 1, surplus));
        }
        for (field, span) in self.found.iter().zip(spans) {
            if let Some(expected) = expected(&field.read)
                && let Some(text @ [_, ..]) = span.of(line)
                && text != b"-"
                && !field.read.can_read(text)
            {
                return Err(Reject::new(span.start(), expected));
            }
        }
        Ok(LineKind::Fields)
    }
}

/// What a column of numbers has to contain; a missing number would not be noticed.
fn expected(read: &FieldType) -> Option<&'static str> {
    match read {
        FieldType::Int => Some("an integer"),
        FieldType::Float => Some("a number"),
        FieldType::Seconds(_) => Some("a duration in digits"),
        _ => None,
    }
}

/// The names of columns, without duplicates; there may be very many.
#[derive(Default)]
struct UniqueNames {
    names: BTreeSet<String>,
    /// The last number that was appended to each name.
    numbers: BTreeMap<String, usize>,
}

impl UniqueNames {
    /// Adds a name. Returns whether it is new.
    fn take(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned())
    }

    /// Returns a unique name: the name, with a number appended if it is a duplicate, or the number
    /// of the column if the name is empty.
    fn distinct(&mut self, name: &str, column: usize) -> String {
        let name = if name.is_empty() { format!("column_{column}") } else { name.to_owned() };
        let mut own = name.clone();
        while !self.take(&own) {
            let number = self.numbers.entry(name.clone()).or_insert(1);
            *number += 1;
            own = format!("{name}_{number}");
        }
        own
    }
}

/// The line without line ends. Blanks stay: they may be part of a column, or delimiters.
fn trimmed(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

/// Iterates over the columns of a line.
struct Columns<'a> {
    line: &'a [u8],
    delimiter: u8,
    /// Where the next column begins, if there is one.
    at: Option<usize>,
}

impl Columns<'_> {
    /// The next column, if there is one; `Span::NONE` if it is empty and unquoted.
    fn next(&mut self) -> Result<Option<Span>, Reject> {
        let Some(start) = self.at else { return Ok(None) };
        let (span, end) = if self.line.get(start) == Some(&b'"') {
            let close = self.closing(start + 1)?;
            (Span::new(start + 1, close), close + 1)
        } else {
            let end = find_either(self.line, start, self.delimiter, self.delimiter);
            (if end == start { Span::NONE } else { Span::new(start, end) }, end)
        };
        self.at = match self.line.get(end) {
            None => None,
            Some(&byte) if byte == self.delimiter => Some(end + 1),
            Some(_) => return Err(Reject::new(end, "a delimiter after the closing quote")),
        };
        Ok(Some(span))
    }

    /// The quote that closes a field whose inside begins here.
    fn closing(&self, mut at: usize) -> Result<usize, Reject> {
        loop {
            let quote = find_either(self.line, at, b'"', b'"');
            if quote == self.line.len() {
                return Err(Reject::new(quote, "the quote that closes the field"));
            }
            if self.line.get(quote + 1) != Some(&b'"') {
                return Ok(quote);
            }
            at = quote + 2;
        }
    }
}
