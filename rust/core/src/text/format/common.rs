//! Common: what Apache writes unless told otherwise, and what many servers write after it.
//!
//! ```text
//! host ident user [time] "request" status size
//! ```
//!
//! It is the combined format without referer and agent, and read as that is. Behind the size more
//! fields may follow, as long as the first of them is not quoted: that would be a referer, and the
//! line one of the combined format, or a part of one.

use super::{Reject, Span, combined};

/// Finds the fields of a line, or says where it stops being one.
pub(super) fn split(line: &[u8], places: &mut [Span]) -> Result<(), Reject> {
    combined::split_common(line, places)
}
