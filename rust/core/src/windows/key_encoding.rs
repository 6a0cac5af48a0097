//! The encoding of keys as bytes.
//!
//! A key without fields is null, and a key of one field is stored like that field. The fields of a
//! longer key are concatenated so that the bytes sort field by field like the values, with null
//! last, and no text can be mistaken for a field boundary. An integer above `i64::MAX` is stored
//! after the bytes of that number, so that it sorts after it.

use super::aggregate::Event;
use super::keys::{KeyBytes, decode_float, decode_int, encode_float, encode_int};
use crate::ground::any_column::large_int;
use crate::ground::{Cell, Kind, Value, write_iso};

/// The tags of a value and of null.
const PRESENT: u8 = 1;
const LARGE: u8 = 2;
const NULL: u8 = 3;

/// What precedes an integer above `i64::MAX` in a key of one field: that number.
const LARGEST: [u8; 8] = [u8::MAX; 8];

/// The escapes of a zero byte within text and of the end of a text. A prefix of another text sorts
/// first.
const ZERO: [u8; 2] = [0, 2];
const END: [u8; 2] = [0, 1];

/// Encodes the first fields of an event as a key, using `room` as a buffer.
#[inline]
pub(crate) fn encode<'a>(
    event: &'a mut impl Event,
    fields: usize,
    room: &'a mut Vec<u8>,
) -> KeyBytes<'a> {
    room.clear();
    if fields == 1 {
        match event.value(0) {
            // Only fields of any kind have JSON values.
            Value::Null | Value::Json(_) => return None,
            Value::Text(text) => return Some(text),
            Value::Int(value) | Value::Time(value) => room.extend_from_slice(&encode_int(value)),
            Value::Large(value) => put_large(room, value),
            Value::Float(value) => room.extend_from_slice(&encode_float(value)),
        }
        return Some(room);
    }
    for field in 0..fields {
        push(room, event.value(field));
    }
    (fields > 0).then_some(room)
}

/// As `encode`, for fields of these kinds, some of which are of any.
pub(crate) fn encode_of_kinds<'a>(
    event: &mut impl Event,
    kinds: &[Kind],
    room: &'a mut Vec<u8>,
) -> KeyBytes<'a> {
    room.clear();
    for (field, kind) in kinds.iter().enumerate() {
        let value = event.value(field);
        if *kind != Kind::Any || value == Value::Null {
            push(room, value);
        } else {
            room.push(PRESENT);
            push_any(room, value);
        }
    }
    let is_null = kinds.len() == 1 && room.first() == Some(&NULL);
    if is_null {
        return None;
    }
    // A key of one field is never null here, so it needs no mark.
    Some(if kinds.len() == 1 { &room[1..] } else { room })
}

/// As `encode`, for values of these kinds; values of any kind are in their stored form.
pub(crate) fn encode_stored<'a>(
    values: &'a [Value<'_>],
    kinds: &[Kind],
    room: &'a mut Vec<u8>,
) -> KeyBytes<'a> {
    room.clear();
    match (values, kinds) {
        ([] | [Value::Null], _) => return None,
        ([Value::Text(text)], _) => return Some(text),
        ([Value::Large(value)], _) => {
            put_large(room, *value);
            return Some(room);
        }
        _ => {}
    }
    for (&value, kind) in values.iter().zip(kinds) {
        match (value, kind) {
            (Value::Text(stored), Kind::Any) => {
                room.push(PRESENT);
                room.extend_from_slice(stored);
            }
            (value, _) => push(room, value),
        }
    }
    Some(if values.len() == 1 { &room[1..] } else { room })
}

/// Whether bytes are the stored form of a value of any kind.
pub(crate) fn is_stored(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    next_any(&mut rest).is_some() && rest.is_empty()
}

/// What a value of any kind is, in the order of keys.
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const FLAG: u8 = 3;

/// Appends a value of any kind. An integer and an equal float are the same; so are an object or an
/// array and its JSON text, a number that no float keeps and its text, and a time and its text in
/// ISO 8601.
fn push_any(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Null => {}
        Value::Int(number) => push_int(out, number.into()),
        Value::Large(number) => push_int(out, number.into()),
        Value::Time(micros) => {
            let mut text = Vec::new();
            write_iso(micros, &mut text);
            push_any(out, Value::Text(&text));
        }
        Value::Float(number) => {
            if let Some(number) = whole(number) {
                push_int(out, number.into());
            } else {
                out.push(NUMBER);
                out.extend_from_slice(&encode_float(number));
                out.push(0);
            }
        }
        Value::Json(b"true") => out.extend_from_slice(&[FLAG, 1]),
        Value::Json(b"false") => out.extend_from_slice(&[FLAG, 0]),
        Value::Json(text) => match large_int(text) {
            Some(number) => push_int(out, number),
            None => push_any(out, Value::Text(text)),
        },
        Value::Text(text) => {
            out.push(TEXT);
            push_text(out, text);
        }
    }
}

/// Appends an integer: the nearest float, by which it sorts among floats, and all digits.
fn push_int(out: &mut Vec<u8>, number: i128) {
    out.push(NUMBER);
    #[expect(clippy::cast_precision_loss, reason = "all digits follow")]
    out.extend_from_slice(&encode_float(number as f64));
    out.push(1);
    out.extend_from_slice(&(number.cast_unsigned() ^ (1 << 127)).to_be_bytes());
}

/// The integer that a float is.
fn whole(number: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::float_cmp, reason = "exact test for a fraction")]
    let is_whole = number.trunc() == number && (-END..END).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "it is integral and in range")]
    is_whole.then_some(number as i64)
}

/// Decodes a value of any kind from the front.
fn next_any(rest: &mut &[u8]) -> Option<Cell> {
    let (&what, bytes) = rest.split_first()?;
    *rest = bytes;
    match what {
        NUMBER => {
            let (float, after) = bytes.split_first_chunk::<8>()?;
            let (&is_int, after) = after.split_first()?;
            *rest = after;
            if is_int == 0 {
                return decode_float(float).map(Cell::Float);
            }
            let (digits, after) = after.split_first_chunk::<16>()?;
            *rest = after;
            Some(Cell::Int((u128::from_be_bytes(*digits) ^ (1 << 127)).cast_signed()))
        }
        FLAG => {
            let (&flag, after) = bytes.split_first()?;
            *rest = after;
            Some(Cell::Flag(flag == 1))
        }
        _ => Some(next_text(rest)),
    }
}

/// Splits a key into the stored forms of its fields; `None` for a null.
pub(crate) fn split<'a>(
    key: KeyBytes<'a>,
    kinds: &[Kind],
    mut take: impl FnMut(usize, Option<&'a [u8]>),
) {
    if kinds.len() == 1 {
        take(0, key);
        return;
    }
    let mut rest = key.unwrap_or_default();
    for (place, &kind) in kinds.iter().enumerate() {
        let before = rest;
        let found = next(&mut rest, kind);
        let length = before.len() - rest.len();
        take(place, found.and(before.get(1..length)));
    }
}

/// Returns the bytes that sort like a field of a key; `None` for a null.
pub(crate) fn field<'a>(key: KeyBytes<'a>, kinds: &[Kind], place: usize) -> KeyBytes<'a> {
    if kinds.len() < 2 {
        return key;
    }
    let mut rest = key.unwrap_or_default();
    for (at, &kind) in kinds.iter().enumerate() {
        let before = rest;
        let found = next(&mut rest, kind);
        if at == place {
            // With the tag, which sorts large integers after others.
            return found.and(before.get(..before.len() - rest.len()));
        }
    }
    None
}

/// Appends a field of a key.
fn push(out: &mut Vec<u8>, value: Value<'_>) {
    out.push(match value {
        Value::Null => NULL,
        Value::Large(_) => LARGE,
        _ => PRESENT,
    });
    match value {
        // Only fields of any kind have JSON values.
        Value::Null | Value::Json(_) => {}
        Value::Text(text) => push_text(out, text),
        Value::Int(value) | Value::Time(value) => out.extend_from_slice(&encode_int(value)),
        Value::Large(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Float(value) => out.extend_from_slice(&encode_float(value)),
    }
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte == 0 {
            out.extend_from_slice(&ZERO);
        } else {
            out.push(byte);
        }
    }
    out.extend_from_slice(&END);
}

/// Decodes a key and calls `take` with the cell of each field.
pub(crate) fn decode(key: KeyBytes<'_>, kinds: &[Kind], mut take: impl FnMut(usize, Cell)) {
    let [kind] = kinds else {
        let mut rest = key.unwrap_or_default();
        for (place, &kind) in kinds.iter().enumerate() {
            take(place, next(&mut rest, kind).unwrap_or(Cell::Null));
        }
        return;
    };
    take(0, key.map_or(Cell::Null, |bytes| cell(bytes, *kind)));
}

fn cell(bytes: &[u8], kind: Kind) -> Cell {
    let cell = match kind {
        Kind::Text => Some(Cell::Text(bytes.into())),
        Kind::Int => match bytes.strip_prefix(&LARGEST).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => decode_large(bytes),
            None => decode_int(bytes).map(|value| Cell::Int(value.into())),
        },
        Kind::Float => decode_float(bytes).map(Cell::Float),
        Kind::Time => decode_int(bytes).map(Cell::Time),
        Kind::Any => next_any(&mut &*bytes),
    };
    cell.unwrap_or(Cell::Null)
}

/// Appends a key of one field.
fn put_large(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&LARGEST);
    out.extend_from_slice(&value.to_be_bytes());
}

fn decode_large(bytes: &[u8]) -> Option<Cell> {
    Some(Cell::Int(u64::from_be_bytes(bytes.try_into().ok()?).into()))
}

fn next(rest: &mut &[u8], kind: Kind) -> Option<Cell> {
    let (&there, bytes) = rest.split_first()?;
    *rest = bytes;
    if there == LARGE {
        let (value, after) = bytes.split_first_chunk::<8>()?;
        *rest = after;
        return decode_large(value);
    }
    if there != PRESENT {
        return None;
    }
    if kind == Kind::Any {
        return next_any(rest);
    }
    if kind != Kind::Text {
        let (value, after) = bytes.split_first_chunk::<8>()?;
        *rest = after;
        return Some(cell(value, kind));
    }
    Some(next_text(rest))
}

fn next_text(rest: &mut &[u8]) -> Cell {
    let mut text = Vec::new();
    let mut bytes = rest.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            0 if bytes.next() == Some(&END[1]) => break,
            byte => text.push(byte),
        }
    }
    *rest = bytes.as_slice();
    Cell::Text(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(fields: &[Option<Vec<u8>>; 2]) -> Vec<u8> {
        let mut out = Vec::new();
        for field in fields {
            push(&mut out, field.as_deref().map_or(Value::Null, Value::Text));
        }
        out
    }

    fn text() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop::option::weighted(0.8, prop::collection::vec(0..4_u8, 0..4))
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn keys_sort_field_by_field_null_last_and_round_trip(
            one in [text(), text()], other in [text(), text()],
        ) {
            let order = |fields: &[Option<Vec<u8>>; 2]| {
                fields.clone().map(|field| (field.is_none(), field))
            };
            prop_assert_eq!(stored(&one).cmp(&stored(&other)), order(&one).cmp(&order(&other)));
            let keys = [stored(&one), stored(&other)];
            for place in 0..2 {
                let fields = [0, 1].map(|at| field(Some(&keys[at]), &[Kind::Text; 2], place));
                prop_assert_eq!(fields[0].is_none(), one[place].is_none());
                prop_assert_eq!(fields[0].cmp(&fields[1]), one[place].cmp(&other[place]));
            }
            let mut read = Vec::new();
            let kinds = [Kind::Text, Kind::Text];
            decode(Some(&stored(&one)), &kinds, |_, cell| read.push(cell));
            let wanted = one.map(|field| field.map_or(Cell::Null, |text| Cell::Text(text.into())));
            prop_assert_eq!(read, wanted);
        }
    }

    fn any_value() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            2 => (-3..3_i64).prop_map(Value::Int),
            1 => any::<i64>().prop_map(Value::Int),
            2 => prop::sample::select(vec![-0.5, 0.25, 1.0, 1e300, -1e300]).prop_map(Value::Float),
            2 => prop::sample::select(vec![&b""[..], b"1", b"a", b"a\0", b"true", b"\xff"])
                .prop_map(Value::Text),
            1 => prop::sample::select(vec![&b"true"[..], b"false", b"12345678901234567890"])
                .prop_map(Value::Json),
            1 => Just(Value::Null),
        ]
    }

    /// The order of keys: numbers, text, false and true, null.
    fn rank(value: Value<'_>) -> (u8, f64, Vec<u8>) {
        #[expect(clippy::cast_precision_loss, reason = "the samples differ as floats")]
        match value {
            Value::Int(number) => (0, number as f64, Vec::new()),
            Value::Float(number) => (0, number, Vec::new()),
            Value::Json(b"12345678901234567890") => (0, 12_345_678_901_234_567_890.0, Vec::new()),
            Value::Text(text) => (1, 0.0, text.to_vec()),
            Value::Json(text) => (2, 0.0, vec![u8::from(text == b"true")]),
            _ => (3, 0.0, Vec::new()),
        }
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn values_of_any_kind_sort_by_type_and_value_and_round_trip(
            one in any_value(), other in any_value(), first in any_value(),
        ) {
            for width in [1, 2] {
                let kinds = vec![Kind::Any; width];
                let stored = |value: Value<'_>| {
                    let values = [first, value];
                    let mut room = Vec::new();
                    let values = &values[2 - width..];
                    encode_of_kinds(&mut &*values, &kinds, &mut room).map(<[u8]>::to_vec)
                };
                let keys = [stored(one), stored(other)];
                let order = |key: &Option<Vec<u8>>| (key.is_none(), key.clone());
                let expected = rank(one).partial_cmp(&rank(other)).unwrap();
                if expected.is_eq() || matches!((one, other), (Value::Int(_), Value::Int(_))) {
                    prop_assert_eq!(keys[0] == keys[1], expected.is_eq() && one == other
                        || matches!((one, other), (Value::Int(1), Value::Float(_)))
                        || matches!((one, other), (Value::Float(_), Value::Int(1))));
                } else {
                    prop_assert_eq!(order(&keys[0]).cmp(&order(&keys[1])), expected);
                }
                let mut again = Vec::new();
                let mut split_key: Vec<Option<Vec<u8>>> = Vec::new();
                split(keys[0].as_deref(), &kinds, |_, part| {
                    split_key.push(part.map(<[u8]>::to_vec));
                });
                prop_assert!(split_key.iter().flatten().all(|part| is_stored(part)));
                let values: Vec<_> = split_key
                    .iter()
                    .map(|part| part.as_deref().map_or(Value::Null, Value::Text))
                    .collect();
                let stored_again = encode_stored(&values, &kinds, &mut again);
                prop_assert_eq!(stored_again, keys[0].as_deref());
                let mut cells = Vec::new();
                decode(keys[0].as_deref(), &kinds, |_, cell| cells.push(cell));
                let cell = match one {
                    Value::Null | Value::Time(_) => Cell::Null,
                    Value::Int(number) => Cell::Int(number.into()),
                    Value::Large(number) => Cell::Int(number.into()),
                    Value::Float(1.0) => Cell::Int(1),
                    Value::Float(number) => Cell::Float(number),
                    Value::Text(text) => Cell::Text(text.into()),
                    Value::Json(b"12345678901234567890") => Cell::Int(12_345_678_901_234_567_890),
                    Value::Json(text) => Cell::Flag(text == b"true"),
                };
                prop_assert_eq!(cells.last(), Some(&cell));
            }
        }
    }

    #[test]
    fn keys_of_mixed_kinds_round_trip() {
        let mut key = Vec::new();
        push(&mut key, Value::Int(-5));
        push(&mut key, Value::Float(0.5));
        push(&mut key, Value::Null);
        push(&mut key, Value::Text(b"a\0b"));
        push(&mut key, Value::Large(u64::MAX));
        push(&mut key, Value::Int(7));
        let mut read = Vec::new();
        let kinds = [Kind::Int, Kind::Float, Kind::Time, Kind::Text, Kind::Int, Kind::Int];
        decode(Some(&key), &kinds, |_, cell| read.push(cell));
        let text = Cell::Text(b"a\0b"[..].into());
        let large = [Cell::Int(u64::MAX.into()), Cell::Int(7)];
        assert_eq!(read[..4], [Cell::Int(-5), Cell::Float(0.5), Cell::Null, text]);
        assert_eq!(read[4..], large);
    }

    #[test]
    fn integers_of_64_bits_sort_and_round_trip() {
        let numbers = [0, 1, i64::MAX as u64, 1 << 63, (1 << 63) + 1, u64::MAX];
        let stored = |number: u64, fields| {
            let values = [Value::integer(number.into()).unwrap(), Value::Null];
            let mut room = Vec::new();
            encode(&mut &values[..], fields, &mut room).unwrap().to_vec()
        };
        for fields in [1, 2] {
            let keys = numbers.map(|number| stored(number, fields));
            assert!(keys.is_sorted(), "{keys:?}");
            for (number, key) in numbers.iter().zip(&keys) {
                let mut read = Vec::new();
                decode(Some(key), &[Kind::Int, Kind::Int][..fields], |_, cell| read.push(cell));
                assert_eq!(read[0], Cell::Int((*number).into()));
            }
        }
    }
}
