//! The checks of each target. The first byte of an input mostly selects a format or a parser, so
//! that each input is about one of them. New entries of `lists::FORMATS` are only appended, to keep
//! old inputs valid.

#[path = "../../store/tests/journal/disk.rs"]
#[allow(dead_code, reason = "the tests of the store need more of it")]
mod disk;
mod edits;
mod lists;
mod parsers;
#[path = "../../store/tests/journal/workload.rs"]
#[allow(dead_code, reason = "the tests of the store need more of it")]
mod workload;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tailrace_core::{
    Chunk, Column, Format, Kind, LineKind, MAX_LINE_BYTES, Reader, TableBuilder, Value, Values,
    count_matches, lossy,
};

pub use edits::journal;
pub use parsers::naive;

/// A value of a line, for comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Null,
    Text(Vec<u8>),
    Int(i64),
    Float(f64),
    Time(i64),
}

/// The fields of a line (`None` for a header), or the byte and the message of a reject.
pub(crate) type Answer = Result<Option<Vec<Found>>, (usize, &'static str)>;

/// A format, and an unused reader of all its fields.
struct Subject {
    format: Format,
    fresh: Reader,
}

impl Subject {
    fn new(spec: &str) -> Self {
        let format = Format::new(spec).unwrap_or_else(|error| panic!("{}", error.message));
        let fresh = reader(&format);
        Self { format, fresh }
    }
}

fn subjects() -> &'static [Subject] {
    static SUBJECTS: OnceLock<Vec<Subject>> = OnceLock::new();
    SUBJECTS.get_or_init(|| {
        for named in Format::named() {
            assert!(lists::FORMATS.contains(&named.name), "{} is not in the list", named.name);
        }
        lists::FORMATS.iter().map(|spec| Subject::new(spec)).collect()
    })
}

/// Creates a reader of all fields of a format, and of some derived fields.
fn reader(format: &Format) -> Reader {
    let fields = format.fields();
    let mut names: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
    for field in fields.iter().filter(|field| field.kind == Kind::Text) {
        names.extend(["decode", "unescape"].map(|step| format!("{}:{step}", field.name)));
    }
    names.extend(
        [
            "url:noquery",
            "url:noquery:decode",
            "path:2",
            "host:/24",
            "referer:host",
            "time:1d",
            "a",
            "a.b.0",
        ]
        .map(String::from),
    );
    names.retain(|name| format.kind(name).is_some());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Reader::new(format, &names).unwrap_or_else(|error| panic!("no field {}", error.name))
}

/// Reads a line, and checks that the result is plausible.
pub(crate) fn read(reader: &mut Reader, line: &[u8], has_header: bool) -> Answer {
    let found = reader.read(line).map_err(|reject| {
        assert!(reject.byte() <= line.len(), "rejected after its end");
        (reject.byte(), reject.expected())
    })?;
    if found == LineKind::Header {
        assert!(has_header, "a header of a format that has none");
        return Ok(None);
    }
    let fields = 0..reader.names().len();
    Ok(Some(fields.map(|field| value(reader, line, field, has_header)).collect()))
}

fn value(reader: &mut Reader, line: &[u8], field: usize, has_header: bool) -> Found {
    let kind = reader.kind(field);
    let (found, of) = match reader.value(line, field) {
        Value::Null => return Found::Null,
        Value::Text(text) => {
            // A `?` is inserted between a path and a query from separate fields; flags are words
            // that are not in the line.
            assert!(text.len() <= line.len() + 16, "{text:?} is longer than {line:?}");
            (Found::Text(text.to_vec()), Kind::Text)
        }
        Value::Json(text) => (Found::Text(text.to_vec()), Kind::Any),
        Value::Large(value) => panic!("{value} is larger than the integers of a line"),
        Value::Int(value) => (Found::Int(value), Kind::Int),
        Value::Float(value) => {
            assert!(value.is_finite(), "{value}");
            (Found::Float(value), Kind::Float)
        }
        Value::Time(value) => (Found::Time(value), Kind::Time),
    };
    // A line can change the type of a column for the lines after it.
    assert!(kind == of || kind == Kind::Any || has_header, "{found:?} is no {}", kind.name());
    found
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| line.len() <= MAX_LINE_BYTES).take(8)
}

/// Reads lines of one format. Whatever the lines are, reading a line again gives the same result,
/// whatever was read before; the prefix of a log collector changes nothing; and a table has the
/// same values.
pub fn lines(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else { return };
    let place = usize::from(choice) % subjects().len();
    let Subject { format, fresh } = &subjects()[place];
    let has_header = format.has_header();
    let mut reader = fresh.clone();
    let mut table = TableBuilder::from_reader(fresh.clone(), None);
    let mut rows = Vec::new();
    for line in lines_of(text) {
        let answer = read(&mut reader, line, has_header);
        assert_eq!(read(&mut reader, line, has_header), answer, "{:?}, twice", format.spec());
        if has_header {
            continue;
        }
        table.push(line);
        rows.extend(answer.iter().flatten().cloned());
        assert_eq!(read(&mut fresh.clone(), line, false), answer, "{:?}, alone", format.spec());
        let is_prefixable = lists::PREFIXED_FORMATS.contains(&lists::FORMATS[place]);
        if answer.is_ok() && is_prefixable && !is_ambiguous(line) {
            for prefix in lists::PREFIXES {
                let whole = [prefix.as_bytes(), line].concat();
                let prefixed = read(&mut reader, &whole, false);
                assert_eq!(prefixed, answer, "{:?} after {prefix:?}", format.spec());
            }
        }
    }
    for batch in table.finish().batches {
        assert_eq!(batch.len, rows.len());
        for (row, values) in rows.iter().enumerate() {
            for (column, value) in batch.columns.iter().zip(values) {
                let expected = match value {
                    Found::Text(text) => Found::Text(lossy(text).into_owned().into_bytes()),
                    other => other.clone(),
                };
                assert_eq!(in_column(column, row), expected, "{:?}, as a table", format.spec());
            }
        }
    }
}

/// Returns a value of a column.
fn in_column(column: &Column, row: usize) -> Found {
    if !column.valid.get(row) {
        return Found::Null;
    }
    match &column.values {
        Values::Text { offsets, data } => {
            let [start, end] = [row, row + 1].map(|at| usize::try_from(offsets[at]).unwrap());
            Found::Text(data[start..end].to_vec())
        }
        Values::Int(values) => Found::Int(values[row]),
        Values::Float(values) => Found::Float(values[row]),
        Values::Time(values) => Found::Time(values[row]),
        other => panic!("no format gives {other:?}"),
    }
}

/// Returns whether a word of the line can be its host with a prefix but something else without. A
/// host is found by the dash after it, and may contain commas.
fn is_ambiguous(line: &[u8]) -> bool {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let (host, dash) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    dash == b"-" && !host.first().is_some_and(u8::is_ascii_alphanumeric)
        || line.first().is_some_and(|byte| !matches!(byte, b'{' | b'['))
            && (dash != b"-" || host.ends_with(b","))
}

/// Compiles a text within a time limit, and reads lines with the resulting format.
pub fn specs(data: &[u8]) {
    let (spec, text) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &b""[..]),
    };
    let spec = String::from_utf8_lossy(spec);
    let compile = || {
        let start = Instant::now();
        (Format::new(&spec), start.elapsed())
    };
    let (format, taken) = compile();
    let allowed = Duration::from_millis(10) + Duration::from_micros(5) * spec.len() as u32;
    // Other processes may have used the CPU in the meantime.
    if taken > allowed && (0..5).all(|_| compile().1 > allowed) {
        panic!("{taken:?} for {} bytes", spec.len());
    }
    let format = match format {
        Ok(format) => format,
        Err(error) => {
            assert!(!error.message.is_empty());
            return;
        }
    };
    assert_eq!(format.spec(), spec);
    let mut reader = reader(&format);
    let examples = lists::LINES.iter().map(|line| line.as_bytes());
    for line in lines_of(text).chain([spec.as_bytes()]).chain(examples) {
        let answer = read(&mut reader, line, format.has_header());
        assert_eq!(read(&mut reader, line, format.has_header()), answer, "twice");
    }
}

/// Runs format detection on a chunk: every format has to match the same lines as it does alone.
pub fn detect(data: &[u8]) {
    let [kind, limit, chunk @ ..] = data else { return };
    let limit = usize::from(*limit);
    let chunk = match kind % 8 {
        0 => Chunk::Batch(chunk),
        1 => Chunk::Event(chunk),
        _ => Chunk::Lines(chunk),
    };
    let formats: Vec<Format> = subjects().iter().map(|one| one.format.clone()).collect();
    let Ok(found) = count_matches(chunk, &formats, limit) else { return };
    let mut lines = Vec::new();
    let walked = chunk.for_each(|line| lines.push(line));
    assert!(walked.is_ok(), "it was walked before");
    lines.retain(|line| !line.trim_ascii().is_empty());
    lines.truncate(limit);
    assert_eq!(found.lines, lines.len());
    lines.retain(|line| line.len() <= MAX_LINE_BYTES);
    for (format, agreed) in formats.iter().zip(found.matched) {
        let agrees = |line: &&&[u8]| {
            let reader = Reader::new(format, &[]);
            reader.is_ok_and(|mut reader| reader.read(line).is_ok())
        };
        if format.has_header() {
            assert!(agreed <= lines.len());
        } else {
            assert_eq!(agreed, lines.iter().filter(agrees).count(), "{:?}", format.spec());
        }
    }
}
