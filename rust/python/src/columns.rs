//! Columns of values from Python: lists, buffers and Arrow.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray, new_empty_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, TimeUnit};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyFloat, PyInt, PyList, PyString, PyTzInfo};
use pyo3_arrow::PyRecordBatchReader;
use pyo3_arrow::input::AnyArray;
use tailrace_core::{
    InputColumn, InputError, InputTable, Kind, SECOND, SeenKind, Value, merge_kinds, uuid_text,
};

use crate::arrow;
use crate::convert::error;

pub(crate) enum InputArray {
    Nulls(usize),
    Ints(ScalarBuffer<i64>, Option<NullBuffer>),
    Floats(ScalarBuffer<f64>, Option<NullBuffer>),
    Times(ScalarBuffer<i64>, Option<NullBuffer>),
    /// Integers that may exceed 63 bits.
    Wide(Vec<Value<'static>>),
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
    Plain(Value<'static>),
    /// The range of a text within the text of all items.
    Text(usize, usize),
}

/// Matches arrays of every type of text or bytes, and then others.
macro_rules! match_text {
    ($self:expr, $array:pat => $then:expr, $($others:tt)*) => {
        match $self {
            Self::Utf8($array) => $then,
            Self::LargeUtf8($array) => $then,
            Self::Utf8View($array) => $then,
            Self::Binary($array) => $then,
            Self::LargeBinary($array) => $then,
            Self::BinaryView($array) => $then,
            $($others)*
        }
    };
}

impl tailrace_core::InputArray for InputArray {
    fn rows(&self) -> usize {
        match_text!(self, array => array.len(),
            Self::Nulls(len) => *len,
            Self::Ints(values, _) | Self::Times(values, _) => values.len(),
            Self::Floats(values, _) => values.len(),
            Self::Wide(values) => values.len(),
            Self::Coded(places, ..) => places.len(),
            Self::Items(items, _) => items.len(),
        )
    }

    #[inline]
    #[expect(clippy::useless_asref, reason = "texts in some arrays, bytes in others")]
    fn value(&self, row: usize) -> Value<'_> {
        let there = |nulls: &Option<NullBuffer>| nulls.as_ref().is_none_or(|n| n.is_valid(row));
        match_text!(self,
            array => if array.is_valid(row) { Value::Text(array.value(row).as_ref()) } else { Value::Null },
            Self::Ints(values, nulls) if there(nulls) => Value::Int(values[row]),
            Self::Floats(values, nulls) if there(nulls) => Value::Float(values[row]),
            Self::Times(values, nulls) if there(nulls) => Value::Time(values[row]),
            Self::Wide(values) => values[row],
            Self::Coded(places, nulls, values) if there(nulls) => values.value(places[row]),
            Self::Items(items, text) => match items[row] {
                Item::Plain(value) => value,
                Item::Text(start, end) => Value::Text(&text[start..end]),
            },
            _ => Value::Null,
        )
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
            Self::Ints(..) | Self::Wide(_) => Some((Kind::Int, false)),
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

/// Converts a list, a buffer of integers or floats, an Arrow array, or a tuple of a buffer in which
/// a value is null: the smallest integer in microseconds since the epoch, NaN in floats.
pub(crate) fn given(values: &Bound<'_, PyAny>, what: &str) -> PyResult<InputColumn<InputArray>> {
    if let Ok((micros,)) = values.extract::<(PyBuffer<i64>,)>() {
        let micros = micros.to_vec(values.py())?;
        let valid = micros.iter().map(|&time| time != i64::MIN).collect::<BooleanBuffer>();
        return Ok(of_pieces(vec![InputArray::Times(micros.into(), Some(valid.into()))]));
    }
    if let Ok((floats,)) = values.extract::<(PyBuffer<f64>,)>() {
        let floats = floats.to_vec(values.py())?;
        let valid = floats.iter().map(|float| !float.is_nan()).collect::<BooleanBuffer>();
        return Ok(of_pieces(vec![InputArray::Floats(floats.into(), Some(valid.into()))]));
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
    let field = arrays.field();
    let pieces = arrays.map(|array| piece(&array.map_err(arrow::error)?, &field, what));
    pieces.collect::<PyResult<_>>().map(of_pieces)
}

/// Converts a table.
pub(crate) fn table(table: PyRecordBatchReader) -> PyResult<InputTable<InputArray>> {
    let reader = table.into_reader()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>().map_err(arrow::error)?;
    let column = |place: usize| {
        let field = schema.field(place);
        // A table without batches has types all the same.
        let none = batches.is_empty().then(|| new_empty_array(field.data_type()));
        let arrays = batches.iter().map(|batch| batch.column(place)).chain(&none);
        let pieces = arrays.map(|array| piece(array, field, "column"));
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
            Item::Plain(value) => value.kind(),
            Item::Text(..) => Some(Kind::Text),
        };
        if let Some(kind) = kind
            && kinds != Some((kind, raw))
        {
            kinds = merge_kinds(kinds, (kind, raw), what, index).map_err(error)?;
        }
    }
    Ok(InputColumn::new(vec![InputArray::Items(items, text)], kinds))
}

pub(crate) fn piece(array: &ArrayRef, field: &Field, what: &str) -> PyResult<InputArray> {
    let nulls = array.logical_nulls();
    Ok(match array.data_type() {
        // A table of one column is accepted as that column.
        DataType::Struct(fields) if fields.len() == 1 && array.null_count() == 0 => {
            return piece(array.as_struct().column(0), &fields[0], what);
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
            let values = array.as_primitive::<UInt64Type>().iter();
            wide(values.map(|value| value.map(i128::from)), what)?
        }
        // Other decimals become the nearest float.
        DataType::Decimal128(_, 0) => wide(array.as_primitive::<Decimal128Type>().iter(), what)?,
        DataType::Decimal128(..) => {
            let decimals = array.as_primitive::<Decimal128Type>();
            let float = |row| decimals.value_as_string(row).parse().unwrap_or(f64::NAN);
            InputArray::Floats((0..decimals.len()).map(float).collect(), nulls)
        }
        DataType::FixedSizeBinary(_) => {
            let bytes = array.as_fixed_size_binary().iter();
            if field.extension_type_name() == Some("arrow.uuid") {
                let texts = bytes.map(|uuid| uuid.map(uuid_text));
                InputArray::Utf8(texts.collect())
            } else {
                InputArray::Binary(bytes.collect())
            }
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            InputArray::Floats(values.iter().map(|&value| f64::from(value)).collect(), nulls)
        }
        DataType::Float64 => {
            InputArray::Floats(array.as_primitive::<Float64Type>().values().clone(), nulls)
        }
        DataType::Timestamp(..) | DataType::Date64 => {
            let data = array.to_data();
            let values =
                ScalarBuffer::<i64>::new(data.buffers()[0].clone(), data.offset(), data.len());
            // An overflow saturates and fails the later range check.
            let times = |scale| values.iter().map(|&value| value.saturating_mul(scale)).collect();
            let values = match array.data_type() {
                DataType::Timestamp(TimeUnit::Microsecond, _) => values,
                DataType::Timestamp(TimeUnit::Second, _) => times(SECOND),
                DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                    values.iter().map(|value| value.div_euclid(1_000)).collect()
                }
                _ => times(1_000),
            };
            InputArray::Times(values, nulls)
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            let day = 86_400 * SECOND;
            InputArray::Times(values.iter().map(|&value| i64::from(value) * day).collect(), nulls)
        }
        DataType::Dictionary(..) if array.as_any_dictionary().values().is_empty() => {
            InputArray::Nulls(array.len())
        }
        DataType::Dictionary(..) => {
            let coded = array.as_any_dictionary();
            let values = piece(coded.values(), field, what)?;
            InputArray::Coded(coded.normalized_keys(), nulls, Box::new(values))
        }
        other => {
            return Err(PyTypeError::new_err(format!(
                "{what}s: expected text, bytes, numbers or timestamps, found the Arrow type {other}; \
                 cast them to one of these"
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

fn wide(numbers: impl Iterator<Item = Option<i128>>, what: &str) -> PyResult<InputArray> {
    let value = |(index, number): (usize, Option<i128>)| match number {
        None => Ok(Value::Null),
        Some(number) => {
            Value::integer(number).ok_or_else(|| out_of_range(what, index, &number.to_string()))
        }
    };
    numbers.enumerate().map(value).collect::<PyResult<_>>().map(InputArray::Wide)
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
    if let Ok(value) = value.cast::<PyString>() {
        return Ok((keep(value.to_str()?.as_bytes()), false));
    }
    if let Ok(value) = value.cast::<PyBytes>() {
        return Ok((keep(value.as_bytes()), true));
    }
    let plain = if value.is_none() {
        Value::Null
    } else if value.is_instance_of::<PyInt>() {
        let wide = || value.extract::<u64>().ok().map(Value::Large);
        let number = value.extract().map(Value::Int).ok().or_else(wide);
        number.ok_or_else(|| out_of_range(what, index, "the integer"))?
    } else if let Ok(value) = value.cast::<PyFloat>() {
        Value::Float(value.extract()?)
    } else if value.hasattr("tzinfo")? && value.hasattr("timestamp")? {
        Value::Time(micros_of(value)?)
    } else {
        let found = value.get_type().name()?.to_string();
        return Err(error(InputError::unexpected(what, index, &found)));
    };
    Ok((Item::Plain(plain), false))
}

/// Returns the microseconds since the epoch of a datetime, which is in UTC if it has no time zone.
fn micros_of(time: &Bound<'_, PyAny>) -> PyResult<i64> {
    let mut time = time.clone();
    if time.getattr("tzinfo")?.is_none() {
        let utc = [("tzinfo", PyTzInfo::utc(time.py())?)].into_py_dict(time.py())?;
        time = time.call_method("replace", (), Some(&utc))?;
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
