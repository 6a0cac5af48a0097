//! Imports lines from Arrow, one per value.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3_arrow::input::AnyArray;
use tailrace_core::{InputArray, TableBuilder, Value};

use crate::arrow::error;
use crate::columns::piece;

/// Adds each value as a line. A null is a missing line.
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
            DataType::Null => (0..array.len()).for_each(|_| builder.push_missing()),
            DataType::Dictionary(_, values) if is_text(values) => {
                let coded = piece(&array, &Field::new_list_field(DataType::Null, true), "line")?;
                for row in 0..array.len() {
                    let text =
                        if let Value::Text(text) = coded.value(row) { Some(text) } else { None };
                    push_item(text, builder);
                }
            }
            other => {
                let message =
                    format!("lines: expected an Arrow array of text or bytes, found {other}");
                return Err(PyTypeError::new_err(message));
            }
        }
    }
    Ok(())
}

fn is_text(values: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(values, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView)
}

fn push<'a, T: AsRef<[u8]> + ?Sized + 'a>(
    lines: impl IntoIterator<Item = Option<&'a T>>,
    builder: &mut TableBuilder,
) {
    for line in lines {
        push_item(line.map(AsRef::as_ref), builder);
    }
}

fn push_item(line: Option<&[u8]>, builder: &mut TableBuilder) {
    match line {
        Some(line) => builder.push(line),
        None => builder.push_missing(),
    }
}
