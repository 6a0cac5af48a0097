//! Counts the events that have a value in a field, or that match a condition.

use super::{Aggregate, Cell, Input, Invertible, Scope};
use crate::ground::Value;
use crate::windows::varint::{get_varint, put_varint};

/// `count` of a field. Exact: NaN and empty text are values, null is not. Also the share of events
/// that match a condition, which has the value null where it is false.
///
/// A partial takes 8 bytes, a window 8 bytes per key; an event costs an addition.
#[derive(Clone, Debug)]
pub(super) struct Count;

impl Aggregate for Count {
    type Partial = u64;

    const ADDS_UP: bool = true;

    #[inline]
    fn add(&self, partial: &mut u64, input: &Input<'_>) {
        *partial += u64::from(input.value != Value::Null);
    }

    /// A decoded partial can hold any number, so the addition is unchecked.
    fn merge(&self, partial: &mut u64, other: &u64) {
        *partial = partial.wrapping_add(*other);
    }

    fn emit_partial(&self, partial: &u64, scope: &Scope<'_>) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "fewer events than 2^53")]
        match scope.spec.function.as_str() {
            "share_where" => Cell::Float(*partial as f64 / scope.count as f64),
            _ => Cell::Int((*partial).into()),
        }
    }

    fn encode(&self, partial: &u64, out: &mut Vec<u8>) {
        put_varint(out, *partial);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<u64> {
        get_varint(bytes)
    }
}

impl Invertible for Count {
    fn subtract(&self, partial: &mut u64, other: &u64) {
        *partial = partial.wrapping_sub(*other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Kind;
    use crate::windows::aggregate::harness::{self, TestValue};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn values_of_the_window_are_counted(
            run in harness::runs(prop_oneof![harness::texts(), harness::numbers()].boxed()),
        ) {
            harness::check(&Count, &harness::spec("count"), Kind::Text, &run, |events, _| {
                let present = events.iter().filter(|event| event.value != TestValue::Null);
                Cell::Int(present.count() as i128)
            });
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in harness::bytes(40)) {
            harness::check_bytes(&Count, &harness::spec("count"), &bytes);
        }
    }
}
