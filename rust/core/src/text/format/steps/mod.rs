//! Steps that compute a new value from that of a field: `time:1h`, `host:/24`, `referer:host`.
//!
//! A step is a variant of `Step`. To add one, add the variant, its name in `from_name`, its topic,
//! its kind and its result, and a row of `STEPS`. The result for a text is computed once for each
//! distinct text of a chunk, as far as `StepCache` has room, so it may cost some time. Data that a
//! step needs is part of `Given`, which hangs on the format.

mod address;
mod cache;
mod list;
mod url_host;

use std::sync::Arc;

use super::time::{ZoneTable, interval_at};
use super::{Given, Kind, Value, time_of};
use crate::ground::{Cell, SECOND, lossy, parse_duration};
use crate::text::lookups::{Bots, Countries, Families};

pub(super) use cache::StepCache;
pub use list::{STEPS, StepAbout};

/// What the value of a field is about, which decides which steps apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Any text.
    Text,
    /// A time.
    Time,
    /// An address of the internet protocol, or a name.
    Address,
    /// A URL.
    Url,
    /// A user agent.
    Agent,
}

impl Topic {
    /// All topics but text.
    pub(super) const ALL: [Self; 4] = [Self::Time, Self::Address, Self::Url, Self::Agent];

    /// What a field of this topic holds.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Time => "times",
            Self::Address => "addresses",
            Self::Url => "URLs",
            Self::Agent => "user agents",
        }
    }

    /// What a standard field is about, beside text.
    pub(super) fn of_field(name: &str) -> &'static [Self] {
        match name {
            "time" => &[Self::Time],
            "host" | "upstream" | "xff" | "vhost" => &[Self::Address],
            "url" | "referer" => &[Self::Url],
            "agent" => &[Self::Agent],
            _ => &[],
        }
    }
}

/// The longest interval in microseconds, a hundred years, as the longest window.
const LONGEST_INTERVAL: i64 = 36_525 * 86_400 * SECOND;

/// A step that computes a value.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The start of the interval of this many microseconds that holds a time; in a zone, or UTC.
    Interval(i64, Option<Arc<ZoneTable>>),
    /// The network of an address, with a prefix of this many bits.
    Network(u8),
    /// The host of a URL.
    UrlHost,
    /// The country of an address.
    Country(Option<Arc<Countries>>),
    /// The family of a user agent.
    Family(Option<Arc<Families>>),
    /// Whether a user agent is a bot.
    Bot(Option<Arc<Bots>>),
}

impl Step {
    /// The step that is written so after a field's name.
    pub(super) fn from_name(name: &str, given: &Given) -> Option<Self> {
        if let Some(bits) = name.strip_prefix('/') {
            return address::prefix_bits(bits).map(Self::Network);
        }
        Some(match name {
            "host" => Self::UrlHost,
            "country" => Self::Country(given.lookups.countries.clone()),
            "family" => Self::Family(given.lookups.families.clone()),
            "bot" => Self::Bot(given.lookups.bots.clone()),
            _ => {
                let length = parse_duration(name).ok()?;
                let fits = (1..=LONGEST_INTERVAL).contains(&length);
                return fits.then(|| Self::Interval(length, given.zone.clone()));
            }
        })
    }

    /// What it applies to.
    pub(super) fn topic(&self) -> Topic {
        match self {
            Self::Interval(..) => Topic::Time,
            Self::Network(_) | Self::Country(_) => Topic::Address,
            Self::UrlHost => Topic::Url,
            Self::Family(_) | Self::Bot(_) => Topic::Agent,
        }
    }

    /// What its result is about, if further steps can follow.
    pub(super) fn result(&self) -> Option<Topic> {
        match self {
            Self::UrlHost => Some(Topic::Address),
            _ => None,
        }
    }

    /// What it looks values up in, if it does.
    pub(super) fn lookup(&self) -> Option<&'static str> {
        match self {
            Self::Country(_) => Some("country"),
            Self::Family(_) => Some("family"),
            Self::Bot(_) => Some("bot"),
            _ => None,
        }
    }

    /// The type of its results.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Interval(..) => Kind::Time,
            Self::Network(_) | Self::UrlHost | Self::Country(_) | Self::Family(_) => Kind::Text,
            // As `true` and `false` of JSON.
            Self::Bot(_) => Kind::Any,
        }
    }

    /// Its result for a time.
    #[inline]
    pub(super) fn of_time(&self, time: i64, cache: &mut StepCache) -> Value<'static> {
        match self {
            Self::Interval(length, zone) => {
                Value::Time(cache.interval(time, *length, zone.as_deref()))
            }
            _ => Value::Null,
        }
    }

    /// Its result for a text.
    fn of_text(&self, text: &[u8]) -> Cell {
        let found = match self {
            Self::Interval(length, zone) => {
                let start = |time| interval_at(time, *length, zone.as_deref()).0;
                return time_of(text, zone.as_ref())
                    .map_or(Cell::Null, |time| Cell::Time(start(time)));
            }
            Self::Network(bits) => address::network(text, *bits),
            Self::UrlHost => url_host::host(text),
            Self::Country(countries) => address::address(text)
                .and_then(|address| countries.as_ref()?.code(address).map(str::to_owned)),
            Self::Family(families) => families.as_ref().map(|families| families.of(&lossy(text))),
            Self::Bot(bots) => {
                let is_bot = bots.as_ref().map(|bots| bots.contain(&lossy(text)));
                return is_bot.map_or(Cell::Null, Cell::Flag);
            }
        };
        found.map_or(Cell::Null, |text| Cell::Text(text.into_bytes().into()))
    }
}

/// The result of steps that follow each other.
pub(super) fn run<'a>(steps: &[Step], value: Value<'_>, cache: &'a mut StepCache) -> Value<'a> {
    let cell = match (value, steps) {
        (Value::Time(time), [step]) => return step.of_time(time, cache),
        (Value::Text(text), _) => cache.of(text, || chain(steps, text)),
        // Only a time can be a number.
        (Value::Int(number), [Step::Interval(..)]) => {
            let text = number.to_string();
            cache.of(text.as_bytes(), || chain(steps, text.as_bytes()))
        }
        (Value::Float(number), [Step::Interval(..)]) => {
            let text = number.to_string();
            cache.of(text.as_bytes(), || chain(steps, text.as_bytes()))
        }
        _ => return Value::Null,
    };
    match cell {
        Cell::Text(text) => Value::Text(text),
        Cell::Time(time) => Value::Time(*time),
        Cell::Flag(flag) => Value::Json(if *flag { b"true" } else { b"false" }),
        _ => Value::Null,
    }
}

fn chain(steps: &[Step], text: &[u8]) -> Cell {
    let (mut cell, mut rest) = (Cell::Text(text.into()), steps.iter());
    while let (Cell::Text(text), Some(step)) = (&cell, rest.next()) {
        cell = step.of_text(text);
    }
    cell
}
