//! Parses the times of most access logs: `17/May/2015:10:05:03 +0000`.

use super::calendar::{days_before, days_in};
use super::digits::{clock, digit, four_pairs, seconds_of_day};
use super::names::month_of;
use super::{SECOND, in_range};

/// Parses the form that most servers write, with every part at a fixed position.
#[inline]
pub(super) fn parse_fixed(text: &[u8]) -> Option<i64> {
    let text: &[u8; 26] = text.try_into().ok()?;
    let &[
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        h1,
        h2,
        c1,
        i1,
        i2,
        c2,
        s1,
        s2,
        b' ',
        sign,
        z1,
        z2,
        z3,
        z4,
    ] = text
    else {
        return None;
    };
    let time = seconds_of_day(clock([h1, h2, c1, i1, i2, c2, s1, s2])?)?;
    let [century, year, hours, minutes] = four_pairs([y1, y2, y3, y4, z1, z2, z3, z4])?;
    let day = digit(d1)? * 10 + digit(d2)?;
    let month = month_of([m1, m2, m3])?;
    let year = century * 100 + year;
    if day == 0 || (day > 28 && day > days_in(year, month)) {
        return None;
    }
    let zone = (hours * 60 + minutes) * 60;
    let zone = match sign {
        b'+' => -zone,
        b'-' => zone,
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    in_range((days_before(year, month, day) * 86_400 + time + zone) * SECOND)
}
