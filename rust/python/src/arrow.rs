//! Exports columns to Arrow and imports lines from it, by the Arrow C data interface.
//!
//! The columns of a table have the layout of Arrow, so exporting them copies nothing.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, ListArray,
    RecordBatch, RecordBatchIterator, RecordBatchOptions, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList, PyString};
use pyo3_arrow::error::PyArrowError;
use pyo3_arrow::input::AnyArray;
use tailrace_core::{Bits, Column, Kind, NamedRows, Rows, TableBuilder, Values};

use crate::convert::datetime;

/// Returns the Arrow types of the columns.
pub(crate) fn schema(fields: &[(String, Kind)]) -> SchemaRef {
    let fields = fields.iter().map(|(name, kind)| {
        let data_type = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub(crate) fn record_batch(schema: &SchemaRef, rows: Rows) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns.into_iter().map(array).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Converts the rows of a snapshot; each column has the type of its values.
pub(crate) fn batch(table: NamedRows) -> Result<RecordBatch, ArrowError> {
    let NamedRows { names, rows, metadata } = table;
    let columns = rows.columns.into_iter().map(array).collect::<Result<Vec<_>, _>>()?;
    let fields = names.iter().zip(&columns);
    let fields = fields.map(|(name, array)| Field::new(name, array.data_type().clone(), true));
    let schema =
        Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata.into_iter().collect());
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

fn array(column: Column) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(column.valid);
    Ok(match column.values {
        Values::Bytes { offsets, data } => {
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(BinaryArray::try_new(offsets, Buffer::from_vec(data), nulls)?)
        }
        Values::Text { offsets, data } => {
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(StringArray::try_new(offsets, Buffer::from_vec(data), nulls)?)
        }
        Values::Int(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
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
    let bits = || BooleanBuffer::new(Buffer::from_vec(valid.bytes), 0, valid.len);
    (valid.zeros > 0).then(|| NullBuffer::new(bits()))
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

/// A column whose values are read one by one.
pub(crate) enum Cells<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Int(&'a Int64Array),
    Large(&'a Decimal128Array),
    Float(&'a Float64Array),
    Time(&'a TimestampMicrosecondArray),
    Counted(&'a ListArray),
}

impl<'a> Cells<'a> {
    pub(crate) fn new(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Timestamp(..) => Self::Time(array.as_primitive::<TimestampMicrosecondType>()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::Decimal128(..) => Self::Large(array.as_primitive::<Decimal128Type>()),
            DataType::List(_) => Self::Counted(array.as_list()),
            _ => Self::Text(array.as_string()),
        }
    }

    /// Returns the value of a row as a Python object: None if it is null, a time as an aware datetime.
    pub(crate) fn get<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Text(array) if array.is_valid(row) => {
                PyString::new(py, array.value(row)).into_bound_py_any(py)
            }
            Self::Bytes(array) if array.is_valid(row) => {
                PyBytes::new(py, array.value(row)).into_bound_py_any(py)
            }
            Self::Int(array) if array.is_valid(row) => array.value(row).into_bound_py_any(py),
            Self::Large(array) if array.is_valid(row) => array.value(row).into_bound_py_any(py),
            Self::Float(array) if array.is_valid(row) => array.value(row).into_bound_py_any(py),
            Self::Time(array) if array.is_valid(row) => datetime(py, array.value(row)),
            Self::Counted(array) if array.is_valid(row) => {
                let pairs = array.value(row);
                let pairs = pairs.as_struct();
                let columns: Vec<_> = pairs.columns().iter().map(Cells::new).collect();
                let list = PyList::empty(py);
                for row in 0..pairs.len() {
                    let pair = PyDict::new(py);
                    for (name, cells) in ["value", "count"].iter().zip(&columns) {
                        pair.set_item(name, cells.get(py, row)?)?;
                    }
                    list.append(pair)?;
                }
                list.into_bound_py_any(py)
            }
            _ => Ok(py.None().into_bound(py)),
        }
    }
}

/// Adds each value as a line. A null is an empty line, so that line numbers match rows.
pub(crate) fn push_all(arrays: AnyArray, builder: &mut TableBuilder) -> PyResult<()> {
    for array in arrays.into_reader()? {
        let array = array.map_err(error)?;
        match array.data_type() {
            DataType::Utf8 => push(array.as_string::<i32>(), builder),
            DataType::LargeUtf8 => push(array.as_string::<i64>(), builder),
            DataType::Utf8View => push(array.as_string_view(), builder),
            DataType::Binary => push(array.as_binary::<i32>(), builder),
            DataType::LargeBinary => push(array.as_binary::<i64>(), builder),
            DataType::BinaryView => push(array.as_binary_view(), builder),
            other => {
                let message =
                    format!("lines: expected an Arrow array of text or bytes, found {other}");
                return Err(PyTypeError::new_err(message));
            }
        }
    }
    Ok(())
}

fn push<'a, T: AsRef<[u8]> + ?Sized + 'a>(
    lines: impl IntoIterator<Item = Option<&'a T>>,
    builder: &mut TableBuilder,
) {
    for line in lines {
        builder.push(line.map_or(&[], AsRef::as_ref));
    }
}

pub(crate) fn error(error: ArrowError) -> PyErr {
    PyArrowError::from(error).into()
}
