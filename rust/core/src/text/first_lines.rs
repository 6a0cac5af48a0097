//! What a format does not read in the first lines of a log, to report it before the first result.

use super::explain::ExplainValue;
use super::flume::BatchError;
use super::format::{Format, LineKind, Reader};
use super::lines::{Chunk, MAX_LINE_BYTES};
use crate::ground::{Value, lossy};

/// The most keys that are listed.
const MAX_KEYS: usize = 100;

/// A longer sample does not fit into a message.
const MAX_SAMPLE: usize = 200;

/// Looks at the first lines of a chunk that are not blank, at most `limit` of them.
///
/// Returns, by name:
///
/// - `lines`, and how many of them were `matched`;
/// - `passed_over`: how many lines have text that the format does not read; of the first of them
///   the number of bytes (`bytes`), the `place` and the text (`sample`);
/// - `no_time`: how many lines have a time that cannot be read, and the first of these times
///   (`time`); `without_time`: how many have none;
/// - `present`: for each of these fields, how many lines have it;
/// - `is_open`: whether lines name their fields, and the `keys` of these, in order of appearance. A
///   key within an object is a path, such as `request.uri`.
pub fn first_lines(
    chunk: Chunk<'_>,
    format: &Format,
    fields: &[String],
    limit: usize,
) -> Result<Vec<(&'static str, ExplainValue)>, BatchError> {
    let names: Vec<&str> = fields.iter().map(String::as_str).chain(["time"]).collect();
    let time = fields.len();
    let mut reader = Reader::lenient(format, &names);
    let is_open = format.is_open();
    let mut seen = Seen { present: vec![0; time], is_open, ..Seen::default() };
    chunk.for_each(|line| {
        if seen.lines == limit || line.trim_ascii().is_empty() {
            return;
        }
        seen.lines += 1;
        if line.len() > MAX_LINE_BYTES || reader.read(line) != Ok(LineKind::Fields) {
            return;
        }
        seen.matched += 1;
        reader.push_keys(line, &mut seen.keys, MAX_KEYS);
        if let Some(found) = reader.passed_over(line) {
            seen.passed_over += 1;
            if seen.passed_over == 1 {
                seen.first = Some((found.text.len(), found.place, sample(&found.text)));
            }
        }
        if reader.time(line, time).is_none() {
            match reader.text(line, time) {
                None | Some(b"" | b"-") => seen.without_time += 1,
                Some(text) => {
                    seen.no_time += 1;
                    seen.time.get_or_insert_with(|| sample(text));
                }
            }
        }
        for (at, count) in seen.present.iter_mut().enumerate() {
            // A step may compute nothing from the value that a line has.
            let is_base_there = |text: &[u8]| !matches!(text, b"" | b"-");
            let is_there = reader.value(line, at) != Value::Null
                || reader.has_steps(at) && reader.text(line, at).is_some_and(is_base_there);
            *count += usize::from(is_there);
        }
    })?;
    Ok(seen.named())
}

#[derive(Debug, Default)]
struct Seen {
    lines: usize,
    matched: usize,
    passed_over: usize,
    /// Of the first line with text that is passed over: its length, its place, and the text.
    first: Option<(usize, String, String)>,
    no_time: usize,
    time: Option<String>,
    without_time: usize,
    present: Vec<usize>,
    is_open: bool,
    keys: Vec<String>,
}

impl Seen {
    fn named(self) -> Vec<(&'static str, ExplainValue)> {
        let (bytes, place, sample) = self.first.unwrap_or_default();
        let present = self.present.into_iter().map(ExplainValue::from).collect();
        let keys = self.keys.into_iter().map(ExplainValue::Text).collect();
        vec![
            ("lines", self.lines.into()),
            ("matched", self.matched.into()),
            ("passed_over", self.passed_over.into()),
            ("bytes", bytes.into()),
            ("place", ExplainValue::Text(place)),
            ("sample", ExplainValue::Text(sample)),
            ("no_time", self.no_time.into()),
            ("time", ExplainValue::Text(self.time.unwrap_or_default())),
            ("without_time", self.without_time.into()),
            ("present", ExplainValue::List(present)),
            ("is_open", ExplainValue::Flag(self.is_open)),
            ("keys", ExplainValue::List(keys)),
        ]
    }
}

fn sample(text: &[u8]) -> String {
    lossy(&text[..text.len().min(MAX_SAMPLE)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(format: &str, text: &str, fields: &[&str]) -> String {
        let format = Format::new(format).unwrap();
        let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
        let found = first_lines(Chunk::Lines(text.as_bytes()), &format, &fields, 9).unwrap();
        let shown = |(name, value)| match value {
            ExplainValue::Int(0) => None,
            ExplainValue::Int(number) => Some(format!("{name}={number}")),
            ExplainValue::Text(text) if text.is_empty() => None,
            ExplainValue::Text(text) => Some(format!("{name}={text}")),
            ExplainValue::List(items) => (!items.is_empty()).then(|| format!("{name}={items:?}")),
            _ => None,
        };
        found.into_iter().filter_map(shown).collect::<Vec<_>>().join(" ")
    }

    const COMMON: &str = r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;

    #[test]
    fn text_that_no_field_covers_is_found() {
        let combined = format!("{COMMON} \"-\" \"ua\"");
        for (format, line, found) in [
            ("combined", combined.clone(), ""),
            (
                "combined",
                format!("{combined} rt=0.1 x"),
                " passed_over=1 bytes=8 place=after the agent sample=rt=0.1 x",
            ),
            (
                "combined",
                format!("{combined} \"1.1.1.1\""),
                " passed_over=1 bytes=9 place=after the agent sample=\"1.1.1.1\"",
            ),
            (
                "combined",
                format!("{COMMON} 0.1"),
                " passed_over=1 bytes=3 place=after the size sample=0.1",
            ),
            (
                "common",
                format!("{COMMON} 0.1 "),
                " passed_over=1 bytes=3 place=after the size sample=0.1",
            ),
            (
                "common",
                format!("v:80 {COMMON}"),
                " passed_over=1 bytes=4 place=before the host sample=v:80",
            ),
            (
                "common",
                COMMON.replacen("h -", "h id", 1),
                " passed_over=1 bytes=2 place=before the user sample=id",
            ),
            ("common", format!("web-1  | {COMMON}"), ""),
            ("common", format!("2025-01-02T03:04:05.123456789Z stdout F {COMMON}"), ""),
            (
                "%h [%d:%t %^] \"%r\" %s %b",
                r#"h [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 x"#.to_owned(),
                " passed_over=1 bytes=1 place=after the size sample=x",
            ),
            ("{host} {status}{...}", "h 200 more".to_owned(), " without_time=1"),
        ] {
            assert_eq!(seen(format, &line, &[]), format!("lines=1 matched=1{found}"), "{line}");
        }
    }

    #[test]
    fn the_keys_of_lines_that_name_their_fields_are_listed() {
        let text = "no\nweb-1  | {\"a\":{\"b\":1}}\n{\"c\":1,\"a\":{\"b\":2}}\n";
        let keys = "keys=[Text(\"a.b\"), Text(\"c\")]";
        assert_eq!(
            seen("json", text, &["c", "d"]),
            format!("lines=3 matched=2 without_time=2 present=[Int(1), Int(0)] {keys}")
        );
    }

    #[test]
    fn times_that_cannot_be_read_and_missing_fields_are_counted() {
        let odd = COMMON.replace("17/May/2015:10:05:03 +0000", "someday");
        let none = COMMON.replace("17/May/2015:10:05:03 +0000", "-");
        let text = format!("{odd}\n\n{COMMON}\n{none}\nno line\n");
        assert_eq!(
            seen("common", &text, &["user", "url"]),
            "lines=4 matched=3 no_time=1 time=someday without_time=1 present=[Int(0), Int(3)]"
        );
    }
}
