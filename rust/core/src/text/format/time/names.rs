//! Parses the English names of months and days, in any case, whatever the locale.

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];

const DAYS: [&[u8]; 7] =
    [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

/// A hash table of the months by their first three letters; `hash` is the hash function.
const MONTH_TABLE: [(u32, i64); 32] = {
    let mut table = [(0, 0); 32];
    let mut month = 0;
    let mut number = 1;
    while month < MONTHS.len() {
        let name = MONTHS[month];
        let key = u32::from_le_bytes([name[0], name[1], name[2], 0]);
        table[hash(key)] = (key, number);
        month += 1;
        number += 1;
    }
    table
};

/// The last five bits of the sum of the second and third letter, which differ for all months.
const fn hash(key: u32) -> usize {
    (((key >> 8) + (key >> 16)) & 31) as usize
}

/// The number of the month with these three letters.
pub(super) fn month_of([first, second, third]: [u8; 3]) -> Option<i64> {
    let key = u32::from_le_bytes([first, second, third, 0]) | 0x0020_2020;
    let (expected, month) = MONTH_TABLE[hash(key)];
    (expected == key).then_some(month)
}

/// A month's name or its first three letters.
pub(super) fn month_name(rest: &mut &[u8]) -> Option<i64> {
    let month = named(rest, &MONTHS)?;
    i64::try_from(month + 1).ok()
}

/// The name of a day of the week, or its first three letters.
pub(super) fn day_name(rest: &mut &[u8]) -> Option<()> {
    named(rest, &DAYS).map(|_| ())
}

fn named(rest: &mut &[u8], names: &[&[u8]]) -> Option<usize> {
    let starts =
        |name: &[u8]| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let found = names.iter().position(|name| starts(&name[..3]))?;
    let length = if starts(names[found]) { names[found].len() } else { 3 };
    *rest = &rest[length..];
    Some(found)
}
