//! The steps that can follow a field's name, as help and messages list them.

use super::Topic;

/// A step for people.
#[derive(Debug)]
pub struct StepAbout {
    /// How it is written; a placeholder is in upper case.
    pub name: &'static str,
    /// How a message lists it.
    pub shown: &'static str,
    /// A field with it.
    pub example: &'static str,
    /// What its value is.
    pub about: &'static str,
    /// What it applies to.
    pub topic: Topic,
}

const fn step(
    name: &'static str,
    example: &'static str,
    about: &'static str,
    topic: Topic,
) -> StepAbout {
    StepAbout { name, shown: name, example, about, topic }
}

/// All steps, in the order in which they are listed.
pub const STEPS: &[StepAbout] = &[
    step("path", "referer:path", "the path of a URL", Topic::Text),
    step("query", "referer:query", "the query of a URL", Topic::Text),
    step("noquery", "url:noquery", "without the query", Topic::Text),
    StepAbout {
        shown: "a number of segments from 1 to 99",
        ..step("N", "path:2", "the first N segments of a path, also of a URL", Topic::Text)
    },
    step("decode", "url:decode", "with percent-encoding decoded: %41 is A", Topic::Text),
    step(
        "unescape",
        "agent:unescape",
        r#"with backslash escapes decoded: \x41 is A, \" is ""#,
        Topic::Text,
    ),
    step("host", "referer:host", "the host of a URL, in lower case", Topic::Url),
    StepAbout {
        shown: "a network from /1 to /128",
        ..step("/N", "host:/24", "the network of an address; /64 suits IPv6", Topic::Address)
    },
    step(
        "country",
        "host:country",
        "the country of an address, in the file of --geoip",
        Topic::Address,
    ),
    step("family", "agent:family", "the browser or program of a user agent", Topic::Agent),
    step("bot", "agent:bot", "whether a user agent is a bot: true or false", Topic::Agent),
    StepAbout {
        shown: "a duration such as 1h",
        ..step("DURATION", "time:1h", "the start of the hour; also 10s, 15m, 1d, 1w", Topic::Time)
    },
];
