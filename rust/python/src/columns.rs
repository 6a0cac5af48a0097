//! Columns of values from Python: lists, buffers and Arrow.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyList, PyString};
use pyo3_arrow::PyRecordBatchReader;
use pyo3_arrow::input::AnyArray;
use tailrace_core::{
    InputColumn, InputError, InputTable, Kind, SECOND, SeenKind, Value, merge_kinds,
};

use crate::arrow;
use crate::convert::error;

pub(crate) enum InputArray {
    Nulls(usize),
    Ints(ScalarBuffer<i64>, Option<NullBuffer>),
    Floats(ScalarBuffer<f64>, Option<NullBuffer>),
    Times(ScalarBuffer<i64>, Option<NullBuffer>),
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    /// Dictionary-encoded: the index of each row's value.
    Coded(Vec<usize>, Option<NullBuffer>, Box<InputArray>),
    Items(Vec<Item>, Vec<u8>),
}

/// A value of a list.
#[derive(Clone, Copy)]
pub(crate) enum Item {
    Null,
    Int(i64),
    Float(f64),
    Time(i64),
    /// The range of a text within the text of all items.
    Text(usize, usize),
}

impl tailrace_core::InputArray for InputArray {
    fn rows(&self) -> usize {
        match self {
            Self::Nulls(len) => *len,
            Self::Ints(values, _) | Self::Times(values, _) => values.len(),
            Self::Floats(values, _) => values.len(),
            Self::Utf8(array) => array.len(),
            Self::LargeUtf8(array) => array.len(),
            Self::Utf8View(array) => array.len(),
            Self::Binary(array) => array.len(),
            Self::LargeBinary(array) => array.len(),
            Self::BinaryView(array) => array.len(),
            Self::Coded(places, ..) => places.len(),
            Self::Items(items, _) => items.len(),
        }
    }

    #[inline]
    fn value(&self, row: usize) -> Value<'_> {
        let there = |nulls: &Option<NullBuffer>| nulls.as_ref().is_none_or(|n| n.is_valid(row));
        match self {
            Self::Ints(values, nulls) if there(nulls) => Value::Int(values[row]),
            Self::Floats(values, nulls) if there(nulls) => Value::Float(values[row]),
            Self::Times(values, nulls) if there(nulls) => Value::Time(values[row]),
            Self::Utf8(array) if array.is_valid(row) => Value::Text(array.value(row).as_bytes()),
            Self::LargeUtf8(array) if array.is_valid(row) => {
                Value::Text(array.value(row).as_bytes())
            }
            Self::Utf8View(array) if array.is_valid(row) => {
                Value::Text(array.value(row).as_bytes())
            }
            Self::Binary(array) if array.is_valid(row) => Value::Text(array.value(row)),
            Self::LargeBinary(array) if array.is_valid(row) => Value::Text(array.value(row)),
            Self::BinaryView(array) if array.is_valid(row) => Value::Text(array.value(row)),
            Self::Coded(places, nulls, values) if there(nulls) => values.value(places[row]),
            Self::Items(items, text) => match items[row] {
                Item::Null => Value::Null,
                Item::Int(value) => Value::Int(value),
                Item::Float(value) => Value::Float(value),
                Item::Time(value) => Value::Time(value),
                Item::Text(start, end) => Value::Text(&text[start..end]),
            },
            _ => Value::Null,
        }
    }

    fn texts(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        let Self::Utf8(array) = self else { return None };
        let offsets = array.value_offsets().get(rows.start..=rows.end)?;
        let text = array.value_data();
        let place = |offset: i32| usize::try_from(offset).unwrap_or(0);
        (array.null_count() == 0)
            .then(|| offsets.windows(2).map(move |ends| &text[place(ends[0])..place(ends[1])]))
    }
}

impl InputArray {
    /// Returns the kind of the values.
    fn kind(&self) -> SeenKind {
        match self {
            // The kind was determined value by value.
            Self::Nulls(_) | Self::Items(..) => None,
            Self::Ints(..) => Some((Kind::Int, false)),
            Self::Floats(..) => Some((Kind::Float, false)),
            Self::Times(..) => Some((Kind::Time, false)),
            Self::Utf8(_) | Self::LargeUtf8(_) | Self::Utf8View(_) => Some((Kind::Text, false)),
            Self::Binary(_) | Self::LargeBinary(_) | Self::BinaryView(_) => {
                Some((Kind::Text, true))
            }
            Self::Coded(_, _, values) => values.kind(),
        }
    }
}

/// Converts a list, a buffer of integers or floats, an Arrow array, or a tuple of a buffer of
/// microseconds since the epoch, in which the smallest integer is null.
pub(crate) fn given(values: &Bound<'_, PyAny>, what: &str) -> PyResult<InputColumn<InputArray>> {
    if let Ok((micros,)) = values.extract::<(PyBuffer<i64>,)>() {
        let micros = micros.to_vec(values.py())?;
        let valid = micros.iter().map(|&time| time != i64::MIN).collect::<BooleanBuffer>();
        return Ok(of_pieces(vec![InputArray::Times(micros.into(), Some(valid.into()))]));
    }
    if let Ok(list) = values.cast::<PyList>() {
        return of_list(list, what);
    }
    if let Ok(buffer) = values.extract::<PyBuffer<i64>>() {
        let values = buffer.to_vec(values.py())?;
        return Ok(of_pieces(vec![InputArray::Ints(values.into(), None)]));
    }
    if let Ok(buffer) = values.extract::<PyBuffer<f64>>() {
        let values = buffer.to_vec(values.py())?;
        return Ok(of_pieces(vec![InputArray::Floats(values.into(), None)]));
    }
    let arrays = values.extract::<AnyArray>()?.into_reader()?;
    let pieces = arrays.map(|array| piece(&array.map_err(arrow::error)?, what));
    pieces.collect::<PyResult<_>>().map(of_pieces)
}

/// Converts a table.
pub(crate) fn table(table: PyRecordBatchReader) -> PyResult<InputTable<InputArray>> {
    let reader = table.into_reader()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>().map_err(arrow::error)?;
    let column = |place: usize| {
        let pieces = batches.iter().map(|batch| piece(batch.column(place), "column"));
        pieces.collect::<PyResult<_>>().map(of_pieces)
    };
    let columns = (0..schema.fields().len()).map(column).collect::<PyResult<_>>()?;
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    let metadata = schema.metadata().clone().into_iter().collect();
    Ok(InputTable { names, columns, metadata })
}

fn of_pieces(pieces: Vec<InputArray>) -> InputColumn<InputArray> {
    let kind = pieces.iter().find_map(InputArray::kind);
    InputColumn::new(pieces, kind)
}

fn of_list(list: &Bound<'_, PyList>, what: &str) -> PyResult<InputColumn<InputArray>> {
    let (mut items, mut text) = (Vec::with_capacity(list.len()), Vec::new());
    let mut kinds = None;
    for (index, value) in list.iter().enumerate() {
        let (item, raw) = item(&value, what, index, &mut text)?;
        items.push(item);
        let kind = match item {
            Item::Null => continue,
            Item::Int(_) => Kind::Int,
            Item::Float(_) => Kind::Float,
            Item::Time(_) => Kind::Time,
            Item::Text(..) => Kind::Text,
        };
        if what == "key" && kind == Kind::Float {
            let name = value.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "keys[{index}]: expected text, bytes, an integer or None, found {name}"
            )));
        }
        if kinds != Some((kind, raw)) {
            kinds = merge_kinds(kinds, (kind, raw), what, index).map_err(error)?;
        }
    }
    Ok(InputColumn::new(vec![InputArray::Items(items, text)], kinds))
}

fn piece(array: &ArrayRef, what: &str) -> PyResult<InputArray> {
    let nulls = array.logical_nulls();
    Ok(match array.data_type() {
        // A table of one column is accepted as that column.
        DataType::Struct(fields) if fields.len() == 1 && array.null_count() == 0 => {
            return piece(array.as_struct().column(0), what);
        }
        DataType::Null => InputArray::Nulls(array.len()),
        DataType::Utf8 => InputArray::Utf8(array.as_string().clone()),
        DataType::LargeUtf8 => InputArray::LargeUtf8(array.as_string().clone()),
        DataType::Utf8View => InputArray::Utf8View(array.as_string_view().clone()),
        DataType::Binary => InputArray::Binary(array.as_binary().clone()),
        DataType::LargeBinary => InputArray::LargeBinary(array.as_binary().clone()),
        DataType::BinaryView => InputArray::BinaryView(array.as_binary_view().clone()),
        DataType::Boolean => {
            let bits = array.as_boolean().values();
            InputArray::Ints(bits.iter().map(i64::from).collect(), nulls)
        }
        DataType::Int8 => ints(array.as_primitive::<Int8Type>(), nulls),
        DataType::Int16 => ints(array.as_primitive::<Int16Type>(), nulls),
        DataType::Int32 => ints(array.as_primitive::<Int32Type>(), nulls),
        DataType::Int64 => {
            InputArray::Ints(array.as_primitive::<Int64Type>().values().clone(), nulls)
        }
        DataType::UInt8 => ints(array.as_primitive::<UInt8Type>(), nulls),
        DataType::UInt16 => ints(array.as_primitive::<UInt16Type>(), nulls),
        DataType::UInt32 => ints(array.as_primitive::<UInt32Type>(), nulls),
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().values().iter().enumerate();
            let value = |(index, &value)| {
                let there = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(index));
                let value = if there { value } else { 0 };
                i64::try_from(value).map_err(|_| out_of_range(what, index, &value.to_string()))
            };
            InputArray::Ints(values.map(value).collect::<PyResult<Vec<_>>>()?.into(), nulls)
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            InputArray::Floats(values.iter().map(|&value| f64::from(value)).collect(), nulls)
        }
        DataType::Float64 => {
            InputArray::Floats(array.as_primitive::<Float64Type>().values().clone(), nulls)
        }
        DataType::Timestamp(unit, _) => {
            let values: ScalarBuffer<i64> = match unit {
                TimeUnit::Second => times(array.as_primitive::<TimestampSecondType>(), SECOND),
                TimeUnit::Millisecond => {
                    times(array.as_primitive::<TimestampMillisecondType>(), 1_000)
                }
                TimeUnit::Microsecond => {
                    array.as_primitive::<TimestampMicrosecondType>().values().clone()
                }
                TimeUnit::Nanosecond => {
                    let values = array.as_primitive::<TimestampNanosecondType>().values();
                    values.iter().map(|value| value.div_euclid(1_000)).collect()
                }
            };
            InputArray::Times(values, nulls)
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            let day = 86_400 * SECOND;
            InputArray::Times(values.iter().map(|&value| i64::from(value) * day).collect(), nulls)
        }
        DataType::Date64 => {
            InputArray::Times(times(array.as_primitive::<Date64Type>(), 1_000), nulls)
        }
        DataType::Dictionary(..) => {
            let coded = array.as_any_dictionary();
            let values = if coded.values().is_empty() {
                return Ok(InputArray::Nulls(array.len()));
            } else {
                piece(coded.values(), what)?
            };
            InputArray::Coded(coded.normalized_keys(), nulls, Box::new(values))
        }
        other => {
            return Err(PyTypeError::new_err(format!(
                "{what}s: expected text, bytes, integers, floats or timestamps, found the Arrow type \
                 {other}; cast them to one of these"
            )));
        }
    })
}

fn ints<T>(array: &PrimitiveArray<T>, nulls: Option<NullBuffer>) -> InputArray
where
    T: arrow_array::ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    InputArray::Ints(array.values().iter().map(|&value| value.into()).collect(), nulls)
}

/// An overflow saturates and fails the later range check.
fn times<T>(array: &PrimitiveArray<T>, scale: i64) -> ScalarBuffer<i64>
where
    T: arrow_array::ArrowPrimitiveType<Native = i64>,
{
    array.values().iter().map(|value| value.saturating_mul(scale)).collect()
}

fn item(
    value: &Bound<'_, PyAny>,
    what: &str,
    index: usize,
    text: &mut Vec<u8>,
) -> PyResult<(Item, bool)> {
    let mut keep = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        Item::Text(text.len() - bytes.len(), text.len())
    };
    if value.is_none() {
        return Ok((Item::Null, false));
    }
    if let Ok(value) = value.cast::<PyString>() {
        return Ok((keep(value.to_str()?.as_bytes()), false));
    }
    if let Ok(value) = value.cast::<PyBytes>() {
        return Ok((keep(value.as_bytes()), true));
    }
    if value.is_instance_of::<PyInt>() {
        let int = value.extract().map_err(|_| out_of_range(what, index, "the integer"))?;
        return Ok((Item::Int(int), false));
    }
    if value.hasattr("tzinfo")? && value.hasattr("timestamp")? {
        return Ok((Item::Time(micros_of(value, what, index)?), false));
    }
    // Number types of other libraries can also look like this.
    if !value.is_instance_of::<PyFloat>()
        && let Ok(value) = value.extract::<i64>()
    {
        return Ok((Item::Int(value), false));
    }
    if let Ok(value) = value.extract::<f64>() {
        return Ok((Item::Float(value), false));
    }
    let found = value.get_type().name()?.to_string();
    let expected = match what {
        "key" => "text, bytes, an integer or None",
        "time" => return Err(error(InputError::not_a_time(index, &found))),
        _ => "a number, text, bytes, an aware datetime or None",
    };
    Err(PyTypeError::new_err(format!("{what}s[{index}]: expected {expected}, found {found}")))
}

/// Returns the microseconds since the epoch of an aware datetime.
fn micros_of(time: &Bound<'_, PyAny>, what: &str, index: usize) -> PyResult<i64> {
    if time.getattr("tzinfo")?.is_none() {
        return Err(PyValueError::new_err(format!(
            "{what}s[{index}]: expected an aware datetime, found one without a time zone; add one, \
             for example tzinfo=timezone.utc"
        )));
    }
    // A float is exact for the whole seconds of any datetime; the microseconds are added
    // separately.
    let seconds: f64 = time.call_method0("timestamp")?.extract()?;
    let micros: i32 = time.getattr("microsecond")?.extract()?;
    #[expect(clippy::cast_possible_truncation, reason = "years 1 to 9999")]
    let whole = (seconds - f64::from(micros) / 1e6).round() as i64;
    Ok(whole * SECOND + i64::from(micros))
}

fn out_of_range(what: &str, index: usize, found: &str) -> PyErr {
    error(InputError::out_of_range(what, index, found, "64 bits"))
}
