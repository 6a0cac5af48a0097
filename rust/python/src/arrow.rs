//! Exports columns to Arrow, by the Arrow C data interface.
//!
//! The columns of a table have the layout of Arrow, so exporting them copies nothing.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
    ListArray, NullArray, RecordBatch, RecordBatchIterator, RecordBatchOptions, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList, PyString};
use pyo3_arrow::error::PyArrowError;
use tailrace_core::{Bits, Column, NamedRows, Values};

use crate::convert::datetime;

/// Converts a table; each column has the type of its values.
pub(crate) fn batch(table: NamedRows) -> Result<RecordBatch, ArrowError> {
    let NamedRows { names, rows, metadata } = table;
    let is_json = |column: &Column| matches!(column.values, Values::Json { .. });
    let json: Vec<bool> = rows.columns.iter().map(is_json).collect();
    let columns = rows.columns.into_iter().map(array).collect::<Result<Vec<_>, _>>()?;
    let fields = names.iter().zip(&columns).zip(json).map(|((name, array), json)| {
        let field = Field::new(name, array.data_type().clone(), true);
        let marks = json.then(|| (EXTENSION.to_owned(), JSON.to_owned()));
        field.with_metadata(marks.into_iter().collect())
    });
    let schema =
        Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata.into_iter().collect());
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

/// The extension type of JSON texts, which is part of Arrow.
const EXTENSION: &str = "ARROW:extension:name";
const JSON: &str = "arrow.json";

fn array(column: Column) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(column.valid);
    Ok(match column.values {
        Values::Bytes { offsets, data } => {
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(BinaryArray::try_new(offsets, Buffer::from_vec(data), nulls)?)
        }
        Values::Text { offsets, data } | Values::Json { offsets, data } => {
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(StringArray::try_new(offsets, Buffer::from_vec(data), nulls)?)
        }
        Values::Int(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
        Values::Flags(values) => Arc::new(BooleanArray::new(flags(values), nulls)),
        Values::Nulls(len) => Arc::new(NullArray::new(len)),
        Values::Float(values) => Arc::new(Float64Array::try_new(values.into(), nulls)?),
        Values::Time(values) => {
            let times = TimestampMicrosecondArray::try_new(values.into(), nulls)?;
            Arc::new(times.with_timezone("UTC"))
        }
        // This Arrow type has at most 38 digits; 128 bits have one more.
        Values::Large(values) => Arc::new(
            Decimal128Array::try_new(values.into(), nulls)?.with_precision_and_scale(38, 0)?,
        ),
        Values::Counted { offsets, values, counts } => {
            let values = array(*values)?;
            let counts = Int64Array::from_iter_values(
                counts.into_iter().map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
            );
            let fields = Fields::from(vec![
                Field::new("value", values.data_type().clone(), true),
                Field::new("count", DataType::Int64, false),
            ]);
            let pairs = StructArray::try_new(fields, vec![values, Arc::new(counts)], None)?;
            let field = Arc::new(Field::new_list_field(pairs.data_type().clone(), false));
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(ListArray::try_new(field, offsets, Arc::new(pairs), nulls)?)
        }
    })
}

fn nulls(valid: Bits) -> Option<NullBuffer> {
    (valid.zeros > 0).then(|| NullBuffer::new(flags(valid)))
}

fn flags(bits: Bits) -> BooleanBuffer {
    match bits.zeros {
        0 => BooleanBuffer::new_set(bits.len),
        _ => BooleanBuffer::new(Buffer::from_vec(bits.bytes), 0, bits.len),
    }
}

/// Implements `__arrow_c_schema__`.
pub(crate) fn schema_capsule<'py>(
    py: Python<'py>,
    schema: &SchemaRef,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema.as_ref()).map_err(error)?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

/// Implements `__arrow_c_stream__`.
///
/// Without pyo3-arrow, which casts to the requested schema: the casts between all types would make
/// the module ten times as large. A producer need not cast.
pub(crate) fn stream_capsule<'py>(
    py: Python<'py>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> PyResult<Bound<'py, PyCapsule>> {
    let batches: Vec<_> = batches.iter().cloned().map(Ok).collect();
    let reader = RecordBatchIterator::new(batches, Arc::clone(schema));
    let stream = FFI_ArrowArrayStream::new(Box::new(reader));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// Returns the value of a row as a Python object: None if it is null, a time as an aware datetime.
pub(crate) fn cell<'py>(
    py: Python<'py>,
    field: &Field,
    array: &ArrayRef,
    row: usize,
) -> PyResult<Bound<'py, PyAny>> {
    if array.is_null(row) {
        return Ok(py.None().into_bound(py));
    }
    match array.data_type() {
        DataType::Null => Ok(py.None().into_bound(py)),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into_bound_py_any(py),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into_bound_py_any(py),
        DataType::Timestamp(..) => {
            datetime(py, array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Boolean => array.as_boolean().value(row).into_bound_py_any(py),
        DataType::Binary => {
            PyBytes::new(py, array.as_binary::<i32>().value(row)).into_bound_py_any(py)
        }
        DataType::Decimal128(..) => {
            array.as_primitive::<Decimal128Type>().value(row).into_bound_py_any(py)
        }
        DataType::List(_) => {
            let pairs = array.as_list::<i32>().value(row);
            let pairs = pairs.as_struct();
            let list = PyList::empty(py);
            for row in 0..pairs.len() {
                let pair = PyDict::new(py);
                for (field, column) in pairs.fields().iter().zip(pairs.columns()) {
                    pair.set_item(field.name(), cell(py, field, column, row)?)?;
                }
                list.append(pair)?;
            }
            list.into_bound_py_any(py)
        }
        _ if field.metadata().get(EXTENSION).is_some_and(|name| name == JSON) => {
            py.import("json")?.call_method1("loads", (array.as_string::<i32>().value(row),))
        }
        _ => PyString::new(py, array.as_string::<i32>().value(row)).into_bound_py_any(py),
    }
}

pub(crate) fn error(error: ArrowError) -> PyErr {
    PyArrowError::from(error).into()
}
