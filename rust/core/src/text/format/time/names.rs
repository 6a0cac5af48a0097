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
        let key = key([name[0], name[1], name[2]]);
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
pub(super) fn month_of(letters: [u8; 3]) -> Option<i64> {
    let key = key(letters);
    let (expected, month) = MONTH_TABLE[hash(key)];
    (expected == key).then_some(month)
}

/// A month's name or its first three letters.
pub(super) fn month_name(rest: &mut &[u8]) -> Option<i64> {
    let month = month_of(*rest.first_chunk()?)?;
    let index = usize::try_from(month - 1).ok()?;
    skip_name(rest, MONTHS.get(index)?);
    Some(month)
}

/// The name of a day of the week, or its first three letters.
pub(super) fn day_name(rest: &mut &[u8]) -> Option<()> {
    let key = key(*rest.first_chunk()?);
    let name = DAYS.iter().find(|name| key == self::key([name[0], name[1], name[2]]))?;
    skip_name(rest, name);
    Some(())
}

/// Three letters in lower case, as a number.
const fn key([first, second, third]: [u8; 3]) -> u32 {
    u32::from_le_bytes([first, second, third, 0]) | 0x0020_2020
}

/// Skips a name of which the first three letters were found.
fn skip_name(rest: &mut &[u8], name: &[u8]) {
    let is_whole = rest.get(3).is_some_and(u8::is_ascii_alphabetic)
        && rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    *rest = &rest[if is_whole { name.len() } else { 3 }..];
}
