//! The steps of a format's fields, by name.

use super::access::Accessor;
use super::steps::{STEPS, Step, Topic};
use super::transform::Transform;
use super::{Format, Matcher, aliases, standard_fields};
use crate::ground::Kind;

/// A step that a field cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProblem {
    /// The step.
    pub step: String,
    /// The field with the steps before it.
    pub of: String,
    /// The steps that it can have.
    pub known: Vec<&'static str>,
    /// What the step applies to, if it is one, and a field that can have it.
    pub applies_to: Option<(&'static str, &'static str)>,
}

impl Format {
    /// Returns what is wrong with the steps of a name, if that begins with a field of the format.
    pub fn step_problem(&self, name: &str) -> Option<StepProblem> {
        let (base, steps) = aliases::split_steps(name);
        if self.index_of(name).is_some() {
            return None;
        }
        // Which columns there are may only be known from the log.
        let missing = || self.topics(base).map(|_| self.missing_accessor(base));
        let mut accessor = self.accessor(base).or_else(missing)?;
        let mut end = base.len();
        for step in steps.split(':').skip(1) {
            let of = &name[..end];
            let Some(next) = self.with_step(of, accessor.clone(), step) else {
                return Some(self.problem(step, of, &accessor));
            };
            accessor = next;
            end += 1 + step.len();
        }
        None
    }

    /// Returns what a field is looked up in, if it is: `country`, `family` or `bot`.
    pub fn lookup_of(&self, name: &str) -> Option<&'static str> {
        if let Matcher::Either(formats) = &self.0.matcher {
            return formats.iter().find_map(|format| format.lookup_of(name));
        }
        self.accessor(name)?.steps().iter().find_map(Step::lookup)
    }

    fn problem(&self, step: &str, of: &str, accessor: &Accessor) -> StepProblem {
        let topics = self.topics_after(of, accessor);
        let known = STEPS.iter().filter(|known| topics.contains(&known.topic));
        let topic = match Transform::from_name(step) {
            Some(_) => Some(Topic::Text),
            None => Step::from_name(step, &self.1).map(|step| step.topic()),
        };
        let misplaced = topic.filter(|topic| !topics.contains(topic));
        let applies_to = misplaced.and_then(|topic| {
            let of_topic = || STEPS.iter().filter(|known| known.topic == topic);
            let same = of_topic().find(|known| known.name == step);
            Some((topic.name(), same.or(of_topic().next())?.example))
        });
        StepProblem {
            step: step.to_owned(),
            of: of.to_owned(),
            known: known.map(|known| known.shown).collect(),
            applies_to,
        }
    }

    /// What a field with steps is about.
    fn topics_after(&self, name: &str, accessor: &Accessor) -> Vec<Topic> {
        if let Some(before) = accessor.steps().last() {
            return before.result().into_iter().collect();
        }
        let is_text = matches!(accessor.kind(), Kind::Text | Kind::Any);
        let is_time = accessor.kind() == Kind::Time;
        let mut topics = match self.topics(name) {
            Some(topics) => topics.to_vec(),
            None if is_text => Topic::ALL.to_vec(),
            None if is_time => vec![Topic::Time],
            None => Vec::new(),
        };
        if is_text {
            topics.push(Topic::Text);
        }
        topics
    }

    /// The accessor of the field with the last step of its name.
    pub(super) fn stepped_accessor(&self, name: &str) -> Option<Accessor> {
        let (base, step) = name.rsplit_once(':').filter(|(base, _)| !base.is_empty())?;
        self.with_step(base, self.accessor(base)?, step)
    }

    /// The accessor of a field with a further step.
    fn with_step(&self, of: &str, accessor: Accessor, step: &str) -> Option<Accessor> {
        let topics = self.topics_after(of, &accessor);
        if let Some(transform) = Transform::from_name(step) {
            return topics.contains(&Topic::Text).then(|| accessor.with(transform)).flatten();
        }
        let step = Step::from_name(step, &self.1)?;
        topics.contains(&step.topic()).then(|| accessor.with_step(&step))
    }

    /// What a standard field is about; `None` for another field, which may be about anything.
    fn topics(&self, name: &str) -> Option<&'static [Topic]> {
        let field = aliases::split_steps(name).0;
        let standard = standard_fields::standard_field(field).map(|known| known.name);
        let standard = standard.or_else(|| {
            let other = self.index_of(field).is_none().then(|| aliases::standard_name(field));
            standard_fields::standard_field(&other.flatten()?).map(|known| known.name)
        });
        Some(Topic::of_field(standard?))
    }

    /// The accessor of a field that the format does not have in these lines.
    pub(super) fn missing_accessor(&self, name: &str) -> Accessor {
        let kind = match aliases::split_steps(name) {
            (_, "") => None,
            (_, steps) if self.topics(name).is_some() => {
                let last = steps.rsplit(':').next().unwrap_or_default();
                Some(Step::from_name(last, &self.1).map_or(Kind::Text, |step| step.kind()))
            }
            _ => None,
        };
        Accessor::missing(name, kind.unwrap_or(self.own_kind()))
    }
}
