//! Families of user agents, and which of them are bots, by patterns of the project ua-parser and of
//! crawler-user-agents.

use std::fmt;

use regex_filtered::Regexes;
use ua_parser::{device, user_agent};

/// The family of an agent that no pattern matches, as ua-parser calls it.
const OTHER: &str = "Other";

/// What ua-parser calls the device of a bot.
const SPIDER: &str = "Spider";

/// The families of user agents.
pub(crate) struct Families(user_agent::Extractor<'static>);

impl Families {
    /// Compiles patterns with the families that they find, in which `$1` is the first group. The
    /// first pattern that matches an agent counts.
    pub(crate) fn new(patterns: Vec<(String, String)>) -> Result<Self, String> {
        let mut builder = user_agent::Builder::new();
        for (regex, family) in patterns {
            let parser = user_agent::Parser {
                regex: regex.clone().into(),
                family_replacement: Some(family.into()),
                ..user_agent::Parser::default()
            };
            builder = builder.push(parser).map_err(|error| invalid(&regex, &error))?;
        }
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// The family of an agent.
    pub(crate) fn of(&self, agent: &str) -> String {
        self.0.extract(agent).map_or_else(|| OTHER.to_owned(), |found| found.family.into_owned())
    }
}

/// A pattern of a device: the regular expression, whether it ignores case, and the device.
pub type DevicePattern = (String, bool, String);

/// Recognizes bots.
pub(crate) struct Bots {
    devices: device::Extractor<'static>,
    crawlers: Regexes,
}

impl Bots {
    /// Compiles the patterns of devices, of which the first one that matches counts, and those of
    /// crawlers.
    pub(crate) fn new(devices: Vec<DevicePattern>, crawlers: &[String]) -> Result<Self, String> {
        let mut builder = device::Builder::new();
        for (regex, ignore_case, device) in devices {
            let parser = device::Parser {
                regex: regex.clone().into(),
                regex_flag: ignore_case.then_some(device::Flag::IgnoreCase),
                device_replacement: Some(device.into()),
                ..device::Parser::default()
            };
            builder = builder.push(parser).map_err(|error| invalid(&regex, &error))?;
        }
        let mut all = regex_filtered::Builder::new();
        for regex in crawlers {
            all = all.push(regex).map_err(|error| invalid(regex, &error))?;
        }
        let devices = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { devices, crawlers: all.build().map_err(|error| error.to_string())? })
    }

    /// Whether an agent is a bot: a pattern of a crawler matches it, or its device is a spider.
    pub(crate) fn contain(&self, agent: &str) -> bool {
        self.crawlers.is_match(agent)
            || self.devices.extract(agent).is_some_and(|found| found.device == SPIDER)
    }
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Families").finish_non_exhaustive()
    }
}

impl fmt::Debug for Bots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bots").finish_non_exhaustive()
    }
}

fn invalid(regex: &str, error: &dyn fmt::Display) -> String {
    format!("cannot compile the pattern {regex:?}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_matches_gives_the_family() {
        let patterns = [("(Chrome)/\\d", "$1"), ("(\\w+)bot/", "$1 bot"), ("Mozilla", "Browser")];
        let patterns = patterns.map(|(regex, family)| (regex.to_owned(), family.to_owned()));
        let families = Families::new(patterns.into()).unwrap();

        for (agent, expected) in [
            ("Mozilla/5.0 Chrome/120", "Chrome"),
            ("Mozilla/5.0 Xbot/1", "X bot"),
            ("Mozilla/5.0 Chrome/x", "Browser"),
            ("other", OTHER),
            ("", OTHER),
        ] {
            assert_eq!(families.of(agent), expected, "{agent}");
        }
    }

    #[test]
    fn a_bot_is_a_crawler_or_a_spider_before_other_devices() {
        let devices = [("CUBOT", false, "Phone"), ("bot", true, SPIDER)];
        let devices = devices.map(|(regex, case, device)| (regex.into(), case, device.to_owned()));
        let bots = Bots::new(devices.into(), &["^curl".to_owned()]).unwrap();

        for (agent, expected) in [
            ("curl/8", true),
            ("libcurl/8", false),
            ("SomeBot/1", true),
            ("Android; CUBOT X18", false),
            ("", false),
        ] {
            assert_eq!(bots.contain(agent), expected, "{agent}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_compiled_is_shown() {
        let error = Families::new(vec![("(?!x)y".to_owned(), String::new())]).unwrap_err();
        assert!(error.starts_with("cannot compile the pattern \"(?!x)y\": "), "{error}");
        assert!(Bots::new(Vec::new(), &["(".to_owned()]).is_err());
    }
}
