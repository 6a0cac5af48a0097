//! The encoding of keys as bytes.
//!
//! A key without fields is null, and a key of one field is stored like that field. The fields of a
//! longer key are concatenated so that the bytes sort field by field like the values, with null
//! last, and no text can be mistaken for a field boundary.

use super::aggregate::Event;
use super::keys::{KeyBytes, decode_float, decode_int, encode_float, encode_int};
use crate::ground::{Cell, Kind, Value};

/// The tags of a value and of null.
const PRESENT: u8 = 1;
const NULL: u8 = 2;

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
            Value::Null => return None,
            Value::Text(text) => return Some(text),
            Value::Int(value) | Value::Time(value) => room.extend_from_slice(&encode_int(value)),
            Value::Float(value) => room.extend_from_slice(&encode_float(value)),
        }
        return Some(room);
    }
    for field in 0..fields {
        push(room, event.value(field));
    }
    (fields > 0).then_some(room)
}

/// Appends a field of a key.
fn push(out: &mut Vec<u8>, value: Value<'_>) {
    out.push(if matches!(value, Value::Null) { NULL } else { PRESENT });
    match value {
        Value::Null => {}
        Value::Text(text) => {
            for &byte in text {
                if byte == 0 {
                    out.extend_from_slice(&ZERO);
                } else {
                    out.push(byte);
                }
            }
            out.extend_from_slice(&END);
        }
        Value::Int(value) | Value::Time(value) => out.extend_from_slice(&encode_int(value)),
        Value::Float(value) => out.extend_from_slice(&encode_float(value)),
    }
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
        Kind::Int => decode_int(bytes).map(|value| Cell::Int(value.into())),
        Kind::Float => decode_float(bytes).map(Cell::Float),
        Kind::Time => decode_int(bytes).map(Cell::Time),
    };
    cell.unwrap_or(Cell::Null)
}

fn next(rest: &mut &[u8], kind: Kind) -> Option<Cell> {
    let (&there, bytes) = rest.split_first()?;
    *rest = bytes;
    if there != PRESENT {
        return None;
    }
    if kind != Kind::Text {
        let (value, after) = bytes.split_first_chunk::<8>()?;
        *rest = after;
        return Some(cell(value, kind));
    }
    let mut text = Vec::new();
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            0 if bytes.next() == Some(&END[1]) => break,
            byte => text.push(byte),
        }
    }
    *rest = bytes.as_slice();
    Some(Cell::Text(text.into()))
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
            let mut read = Vec::new();
            let kinds = [Kind::Text, Kind::Text];
            decode(Some(&stored(&one)), &kinds, |_, cell| read.push(cell));
            let wanted = one.map(|field| field.map_or(Cell::Null, |text| Cell::Text(text.into())));
            prop_assert_eq!(read, wanted);
        }
    }

    #[test]
    fn keys_of_mixed_kinds_round_trip() {
        let mut key = Vec::new();
        push(&mut key, Value::Int(-5));
        push(&mut key, Value::Float(0.5));
        push(&mut key, Value::Null);
        push(&mut key, Value::Text(b"a\0b"));
        let mut read = Vec::new();
        let kinds = [Kind::Int, Kind::Float, Kind::Time, Kind::Text];
        decode(Some(&key), &kinds, |_, cell| read.push(cell));
        let text = Cell::Text(b"a\0b"[..].into());
        assert_eq!(read, [Cell::Int(-5), Cell::Float(0.5), Cell::Null, text]);
    }
}
