//! Explains how a line was parsed, piece by piece, or why it was rejected.

use std::sync::Arc;

use super::flume::BatchError;
use super::format::{
    Format, LineKind, PartialMatch, Reader, Segment, SegmentKind, ZoneTable, write_iso,
};
use super::lines::{Chunk, MAX_LINE_BYTES};
use super::rejects::{RejectInfo, explain_reject, read};
use crate::ground::{Reason, Value, lossy};

/// A rejected line, to show to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectSample {
    /// The number of the line in its chunk, from 1.
    pub number: usize,
    /// The byte at which it stops matching the format.
    pub byte: usize,
    /// What was expected there.
    pub expected: &'static str,
    /// The line, cut where it is too long.
    pub line: Vec<u8>,
}

/// Returns the first lines of a chunk that do not match the format, at most `most` of them.
pub fn sample_rejects(
    chunk: Chunk<'_>,
    format: &Format,
    most: usize,
) -> Result<Vec<RejectSample>, BatchError> {
    let mut reader = Reader::lenient(format, &[]);
    let mut samples = Vec::new();
    let mut number = 0;
    chunk.for_each(|line| {
        number += 1;
        if samples.len() < most
            && let Err(info) = read(&mut reader, line)
        {
            let RejectInfo { byte, expected, .. } = explain_reject(&mut reader, line, info);
            // One byte above the limit shows that the line is too long.
            let line = line[..line.len().min(MAX_LINE_BYTES + 1)].to_vec();
            samples.push(RejectSample { number, byte, expected, line });
        }
    })?;
    Ok(samples)
}

/// A value of an explanation.
#[derive(Clone, Debug, PartialEq)]
pub enum ExplainValue {
    /// A missing value.
    Null,
    /// True or false.
    Flag(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text, or a time in ISO 8601.
    Text(String),
    /// A list of values.
    List(Vec<Self>),
    /// Named values, in order.
    Object(Object),
}

type Object = Vec<(&'static str, ExplainValue)>;

impl From<usize> for ExplainValue {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&str> for ExplainValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Value<'_>> for ExplainValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(number),
            Value::Large(number) => number.to_string().as_str().into(),
            Value::Float(number) => Self::Float(number),
            Value::Json(b"true") => Self::Flag(true),
            Value::Json(b"false") => Self::Flag(false),
            Value::Text(text) | Value::Json(text) => (&*lossy(text)).into(),
            Value::Time(micros) => {
                let mut text = Vec::new();
                write_iso(micros, &mut text);
                (&*lossy(&text)).into()
            }
        }
    }
}

/// Explains how the first line of a text is parsed. Header lines before it, which name its columns,
/// are read first.
///
/// The keys depend on `outcome`:
///
/// - `fields`: the `pieces` of the line, the `derived` fields, and the names of the `absent` ones; a
///   time without a zone has the `zone` in which it is read;
/// - `reject`: `byte`, `reason`, `expected`, and `matched`, a score of how much of it matched,
///   by which several formats can be compared; for a template also its text (`template`) and the
///   range in it of the part that did not match (`part_start`, `part_end`);
/// - `header`: the `columns`, where the text has no line after the header.
///
/// `number` is the number of the explained line, from 1.
pub fn explain(format: &Format, text: &[u8]) -> Object {
    let mut format = format.clone();
    let mut lines = text.split(|&byte| byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let one = closest_alternative(&format, line).with_own_fields(line);
        let names: Vec<_> = one.fields().into_iter().map(|field| field.name).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        let mut reader = Reader::lenient(&one, &names);
        let found = read(&mut reader, line).map_err(|info| explain_reject(&mut reader, line, info));
        if found == Ok(LineKind::Header) {
            format = format.with_header(line).unwrap_or(format);
            if lines.peek().is_some_and(|(_, next)| !next.is_empty()) {
                continue;
            }
        }
        let mut explained = vec![("format", one.spec().into()), ("number", (index + 1).into())];
        match found {
            Ok(LineKind::Fields) => fields(&one, &mut reader, line, &mut explained),
            Ok(LineKind::Header) => {
                let columns = format.fields().into_iter().filter(|field| !field.on_demand);
                let columns = columns.map(|field| (&*field.name).into()).collect();
                explained.push(("outcome", "header".into()));
                explained.push(("columns", ExplainValue::List(columns)));
            }
            Err(RejectInfo { byte, reason, expected }) => {
                let partial = match reason {
                    Reason::NoMatch => reader.partial_match(line, byte),
                    _ => PartialMatch::default(),
                };
                explained.extend([
                    ("outcome", "reject".into()),
                    ("byte", byte.into()),
                    ("reason", reason.name().into()),
                    ("expected", expected.into()),
                    ("matched", partial.matched.into()),
                ]);
                if let Some((text, (start, end))) = partial.part {
                    explained.extend([
                        ("template", ExplainValue::Text(text)),
                        ("part_start", start.into()),
                        ("part_end", end.into()),
                    ]);
                }
            }
        }
        return explained;
    }
    Vec::new()
}

/// The format, or the alternative of it that matches the line first, or else matches most of it.
fn closest_alternative(format: &Format, line: &[u8]) -> Format {
    let mut furthest: Option<(usize, &Format)> = None;
    for one in format.alternatives() {
        match Reader::lenient(one, &[]).read(line) {
            Ok(_) => return one.clone(),
            Err(reject) if furthest.is_none_or(|known| known.0 < reject.byte()) => {
                furthest = Some((reject.byte(), one));
            }
            Err(_) => {}
        }
    }
    furthest.map_or(format, |known| known.1).clone()
}

fn fields(format: &Format, reader: &mut Reader, line: &[u8], explained: &mut Object) {
    let pieces = reader.segments(line);
    let mut seen: Vec<&str> = Vec::new();
    let mut of_pieces = Vec::new();
    for Segment { start, end, what, name } in &pieces {
        let text = line.get(*start..*end).unwrap_or_default();
        let mut piece = vec![
            ("start", (*start).into()),
            ("end", (*end).into()),
            ("what", what.name().into()),
            ("text", Value::Text(text).into()),
        ];
        if *what == SegmentKind::Field {
            piece.push(("name", (&**name).into()));
            let index = reader.names().position(|known| known == &**name);
            // The first of several fields with one name counts, but all fields named `time` do.
            if let Some(index) = index
                && (!seen.contains(&&**name) || &**name == "time")
            {
                piece.extend(type_and_value(reader, line, index));
                piece.extend(format.unit(name).map(|unit| ("unit", unit.into())));
                if let Some(zone) = assumed_zone(format, line, name) {
                    piece.push(("zone", zone.into()));
                }
            }
            seen.push(name);
        }
        of_pieces.push(ExplainValue::Object(piece));
    }
    let mut absent = Vec::new();
    let mut derived = Vec::new();
    for (index, field) in format.fields().into_iter().enumerate() {
        if seen.contains(&reader.name(index)) {
            continue;
        }
        if reader.value(line, index) != Value::Null {
            let mut of_field = vec![("name", reader.name(index).into())];
            of_field.extend(type_and_value(reader, line, index));
            derived.push(ExplainValue::Object(of_field));
        } else if !field.on_demand {
            absent.push(reader.name(index).into());
        }
    }
    explained.extend([
        ("outcome", "fields".into()),
        ("pieces", ExplainValue::List(of_pieces)),
        ("derived", ExplainValue::List(derived)),
        ("absent", ExplainValue::List(absent)),
        ("open", ExplainValue::Flag(format.is_open())),
    ]);
}

/// The zone in which a time without one is read. A time that has one is the same in every zone.
fn assumed_zone<'a>(format: &'a Format, line: &[u8], name: &str) -> Option<&'a str> {
    let ahead = |hours: i64| {
        let zone = ZoneTable::new("", vec![(0, hours * 3_600, String::new())]).ok()?;
        let mut reader = Reader::lenient(&format.with_zone(&Arc::new(zone)), &[name]);
        reader.read(line).ok()?;
        reader.time(line, 0)
    };
    (ahead(0)? != ahead(1)?).then(|| format.zone().map_or("UTC", |zone| zone.name()))
}

fn type_and_value(
    reader: &mut Reader,
    line: &[u8],
    index: usize,
) -> [(&'static str, ExplainValue); 2] {
    [("type", reader.kind(index).name().into()), ("value", reader.value(line, index).into())]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str =
        r#"1.2.3.4 - frank [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "ua""#;

    fn explained(spec: &str, text: &str) -> serde_json::Value {
        json(&ExplainValue::Object(explain(&Format::new(spec).unwrap(), text.as_bytes())))
    }

    fn json(value: &ExplainValue) -> serde_json::Value {
        match value {
            ExplainValue::Null => serde_json::Value::Null,
            ExplainValue::Flag(flag) => (*flag).into(),
            ExplainValue::Int(number) => (*number).into(),
            ExplainValue::Float(number) => (*number).into(),
            ExplainValue::Text(text) => text.as_str().into(),
            ExplainValue::List(items) => items.iter().map(json).collect(),
            ExplainValue::Object(fields) => {
                fields.iter().map(|(name, value)| ((*name).to_owned(), json(value))).collect()
            }
        }
    }

    /// The pieces: fields as `name=value`, others as their kind and text.
    fn pieces(spec: &str, text: &str) -> Vec<String> {
        let found = explained(spec, text);
        let shown = |piece: &serde_json::Value| match piece["what"].as_str().unwrap() {
            "field" => format!("{}={}", piece["name"].as_str().unwrap(), piece["value"]),
            what => format!("{what} {}", piece["text"]),
        };
        found["pieces"].as_array().unwrap_or_else(|| panic!("{found}")).iter().map(shown).collect()
    }

    fn derived(spec: &str, text: &str) -> Vec<String> {
        let found = explained(spec, text);
        let shown = |field: &serde_json::Value| {
            format!("{}={}", field["name"].as_str().unwrap(), field["value"])
        };
        found["derived"].as_array().unwrap().iter().map(shown).collect()
    }

    #[test]
    fn every_piece_of_a_line_is_listed() {
        assert_eq!(
            pieces("combined", LINE),
            [
                r#"host="1.2.3.4""#,
                r#"literal " ""#,
                r#"passed over "-""#,
                r#"literal " ""#,
                r#"user="frank""#,
                r#"literal " [""#,
                r#"time="2015-05-17T10:05:03Z""#,
                r#"literal "] \"""#,
                r#"request="GET /a?b HTTP/1.1""#,
                r#"literal "\" ""#,
                "status=200",
                r#"literal " ""#,
                "size=5",
                r#"literal " \"""#,
                "referer=null",
                r#"literal "\" \"""#,
                r#"agent="ua""#,
                r#"literal "\"""#,
            ]
        );
    }

    #[test]
    fn derived_and_absent_fields_are_listed() {
        let names = ["method=\"GET\"", "url=\"/a?b\"", "protocol=\"HTTP/1.1\"", "path=\"/a\""];
        assert_eq!(derived("combined", LINE)[..4], names);
        assert_eq!(derived("combined", LINE)[4..], ["query=\"b\"", "status_class=2"]);
        let found = explained("combined", "h - - [t] \"-\" 408 -");
        assert_eq!(found["absent"].to_string(), r#"["method","url","protocol","referer","agent"]"#);
    }

    #[test]
    fn a_prefix_and_skipped_text_are_listed() {
        let line = "web-1  | [2016-04-15T20:17:00.310Z] x 7 more";
        assert_eq!(
            pieces(concat!("[{time:iso}] {} {n", ":int}{...}"), line),
            [
                r#"prefix "web-1  | ""#,
                r#"literal "[""#,
                r#"time="2016-04-15T20:17:00.31Z""#,
                r#"literal "] ""#,
                r#"passed over "x""#,
                r#"literal " ""#,
                "n=7",
                r#"passed over " more""#,
            ]
        );
    }

    #[test]
    fn a_reject_has_the_part_of_the_format_that_does_not_match() {
        let line = LINE.replace(" 200 ", " OK ");
        let pasted =
            r#"$remote_addr - $remote_user [$time_local] "$request" $status "$http_referer""#;
        let found = explained(pasted, &line);
        assert_eq!(found["outcome"], "reject");
        assert_eq!(found["byte"], line.find("OK").unwrap());
        assert_eq!(found["expected"], "a status of three digits");
        let index = pasted.find("$status").unwrap();
        assert_eq!(found["template"], pasted);
        assert_eq!(
            (&found["part_start"], &found["part_end"]),
            (&index.into(), &(index + 7).into())
        );
        assert!(explained("combined", &line)["template"].is_null());
    }

    #[test]
    fn the_closest_format_of_a_broken_line_matches_most_of_it() {
        let alb = Format::named().find(|named| named.name == "alb").unwrap().example;
        let (cut, _) = alb.split_once(" \"GET").unwrap();
        assert_eq!(explained("alb", cut)["matched"], 8);
        assert_eq!(explained("combined", cut)["matched"], 0);
        assert_eq!(explained("combined", &LINE.replace("200", "2000"))["matched"], 1);
        assert_eq!(explained("json", "{\"a\":1")["matched"], 3);
    }

    #[test]
    fn header_lines_name_the_columns_of_the_explained_line() {
        let text =
            "#Version: 1.0\n#Fields: date time c-ip sc-status\n2002-05-02 17:42:15 1.2.3.4 200";
        assert_eq!(
            pieces("w3c", text),
            [
                r#"time="2002-05-02T17:42:15Z""#,
                r#"time="2002-05-02T17:42:15Z""#,
                r#"host="1.2.3.4""#,
                "status=200",
            ]
        );
        assert_eq!(explained("w3c", text)["number"], 3);
        let header = explained("csv", "a,b\n");
        assert_eq!((&header["outcome"], &header["columns"][1]), (&"header".into(), &"b".into()));
    }

    #[test]
    fn the_matching_one_of_several_formats_is_reported() {
        assert_eq!(explained("json,combined", LINE)["format"], "combined");
        assert_eq!(explained("json,combined", "{\"status\":\"200\"}")["format"], "json");
        assert_eq!(explained("json,combined", "h - - [t] x")["format"], "combined");
    }

    #[test]
    fn the_first_rejected_lines_of_a_chunk_are_returned() {
        let text = format!("no\n{LINE}\n\nx y z\n");
        let format = Format::new("combined").unwrap();
        let found = sample_rejects(Chunk::Lines(text.as_bytes()), &format, 2).unwrap();
        let shown: Vec<_> = found.iter().map(|one| (one.number, one.byte, &one.line[..])).collect();
        assert_eq!(shown, [(1, 2, &b"no"[..]), (3, 0, b"")]);
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn the_pieces_of_any_line_are_in_order_and_within_it(
            name in prop::sample::select(Format::named().map(|one| one.name).collect::<Vec<_>>()),
            cut in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let named = Format::named().find(|one| one.name == name).unwrap();
            let mut text = named.example.as_bytes().to_vec();
            let index = cut.index(text.len());
            text[index] = byte;
            let found = explain(&Format::new(name).unwrap(), &text);
            let found = json(&ExplainValue::Object(found));
            let mut previous = 0;
            for piece in found["pieces"].as_array().into_iter().flatten() {
                let start = piece["start"].as_u64().unwrap();
                prop_assert!(start >= previous && piece["end"].as_u64().unwrap() >= start);
                previous = start;
            }
            prop_assert!(usize::try_from(previous).unwrap() <= text.len());
        }
    }
}
