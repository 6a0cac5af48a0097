//! Runs of unquoted fields with single blanks between them.
//!
//! Where only one field of a run may contain blanks, its words are those that the other fields leave
//! over. Where several may, each has to end where its own syntax ends, or else a line with more
//! words than fields is ambiguous and does not match.

use super::super::{Part, Slot, Syntax};
use super::scanners::words_of_time;
use super::steps::TextRule;
use crate::text::format::field_type::FieldType;

/// How a field of a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// At the first blank.
    Word,
    /// At the first blank, while another field of the run is searched for.
    Tail,
    /// Where its list ends.
    List { colons: bool },
    /// This many words before the end of the run, which is before this part of the template.
    /// The last but one of them may have to be a dash.
    Leaves { words: usize, end: usize, dash: bool, text: TextRule },
    /// At the only place where what follows it matches. With `whole`, this is all of the line.
    Only { text: TextRule, whole: bool },
}

/// The roles of the fields in runs. With `user_is_word`, a user before the time is one word after an
/// ident that is `-`, so that the list before them may contain any text.
pub(super) fn roles(parts: &[Part], user_is_word: bool, open_ended: bool) -> Vec<Option<Role>> {
    let mut roles = vec![None; parts.len()];
    for run in runs(parts, user_is_word, open_ended) {
        run.assign(&mut roles);
    }
    roles
}

/// Whether it takes the number of blanks to tell where some fields end.
pub(super) fn counts_blanks(parts: &[Part]) -> bool {
    let is_line = |text: &TextRule| *text == TextRule::RequestLine;
    let is_unclear = |role: &Role| match role {
        Role::Only { .. } => true,
        Role::Leaves { text, .. } => is_line(text),
        Role::Word | Role::Tail | Role::List { .. } => false,
    };
    runs(parts, false, false).iter().any(|run| settle(&mut run.shapes()))
        || roles(parts, false, false).iter().flatten().any(is_unclear)
}

fn runs(parts: &[Part], user_is_word: bool, open_ended: bool) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut start = 0;
    while start < parts.len() {
        let mut run = Run { parts, fields: Vec::new(), user_is_word, open_ended };
        while is_bare(parts, start) {
            run.fields.push(start);
            if !is_blank(parts.get(start + 1)) {
                break;
            }
            start += 2;
        }
        start += 1;
        if run.fields.len() > 1 {
            runs.push(run);
        }
    }
    runs
}

/// Whether there is a list of addresses, then an ident and a user before the time.
pub(super) fn has_list_and_user(parts: &[Part]) -> bool {
    parts.windows(9).any(|window| {
        let [list, a, host, b, ident, c, user, Part::Literal(open), Part::Field(time)] = window
        else {
            return false;
        };
        let (Part::Field(list), Part::Field(host), Part::Field(ident), Part::Field(user)) =
            (list, host, ident, user)
        else {
            return false;
        };
        [a, b, c].iter().all(|blank| is_blank(Some(blank)))
            && is_list(&list.name)
            && host.syntax == Syntax::Word
            && matches!(&*ident.name, "" | "ident")
            && user.name == "user"
            && open == b" ["
            && time.syntax == Syntax::Time
    })
}

/// Whether a field with this name is a list of addresses or of upstreams.
pub(super) fn is_list(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "xff"
            | "http_x_forwarded_for"
            | "proxy_add_x_forwarded_for"
            | "upstream"
            | "upstream_addr"
            | "upstream_status"
            | "upstream_cache_status"
    )
}

/// Whether a field is a list that clients or upstreams make longer, unlike a host.
fn is_long_list(slot: &Slot) -> bool {
    is_list(&slot.name) && slot.name != "host"
}

/// A run of fields, as indices of parts.
struct Run<'a> {
    parts: &'a [Part],
    fields: Vec<usize>,
    user_is_word: bool,
    open_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One word.
    Word,
    /// Text that may have more words, but is read as one.
    OneOfMany,
    /// This many words of a type that shows where they end.
    Typed(usize),
    /// Numbers with commas between them.
    Numbers,
    List,
    /// Text that may contain blanks.
    Text,
    /// A user before the time, who may contain blanks.
    User,
    /// Text that contains blanks only if a client ignores the rules of HTTP.
    Raw,
    Request(TextRule),
}

impl Run<'_> {
    fn assign(&self, roles: &mut [Option<Role>]) {
        let mut shapes = self.shapes();
        let is_text = |shape: &&Shape| !matches!(shape, Shape::Word | Shape::Typed(_) | Shape::Raw);
        let is_alone = shapes.iter().filter(is_text).count() == 1;
        // A text that is read as fewer words may be why the rest of a line does not match.
        let whole =
            !settle(&mut shapes) && !shapes.contains(&Shape::Request(TextRule::RequestLine));
        for (at, &field) in self.fields.iter().enumerate() {
            let rest = &shapes[at + 1..];
            let text = match shapes[at] {
                Shape::Request(rule) => rule,
                _ => TextRule::Any,
            };
            let role = match shapes[at] {
                // The tail of an earlier field.
                _ if roles[field].is_some() => continue,
                Shape::OneOfMany => Role::Word,
                // What closes a word also ends it.
                Shape::Word if is_closed(self.parts, field) && self.is_word(field) => continue,
                Shape::Word if self.slot(field).is_some_and(has_text) => Role::Word,
                Shape::Word | Shape::Typed(_) | Shape::Numbers => continue,
                // Beside other text, only the elements of a list show where it ends.
                Shape::List if !is_alone => self.list(field),
                shape => match self.leaves(rest, text) {
                    Some(leaves) => leaves,
                    None if shape == Shape::List => self.list(field),
                    // The last field of a run ends as a field outside of runs does.
                    None if rest.is_empty() => continue,
                    None => Role::Only { text, whole },
                },
            };
            roles[field] = Some(role);
            if matches!(role, Role::Leaves { .. } | Role::Only { .. }) {
                let is_tail = |shape: &&Shape| {
                    matches!(shape, Shape::Word | Shape::Typed(_) | Shape::Numbers)
                };
                let tail = rest.iter().take_while(is_tail).count();
                for &field in &self.fields[at + 1..=at + tail] {
                    if self.slot(field).is_some_and(has_text) {
                        roles[field] = Some(Role::Tail);
                    }
                }
            }
        }
    }

    fn shapes(&self) -> Vec<Shape> {
        self.fields.iter().map(|field| self.shape(*field)).collect()
    }

    /// The role of a field after which each field is a fixed number of words.
    fn leaves(&self, rest: &[Shape], text: TextRule) -> Option<Role> {
        let words = rest.iter().map(|shape| match shape {
            Shape::Word => Some(1),
            Shape::Typed(words) => Some(*words),
            _ => None,
        });
        let words = words.sum::<Option<usize>>()?;
        let end = self.fields.last()? + 1;
        let ends_with_blank = match self.parts.get(end) {
            None => !self.open_ended,
            Some(Part::Literal(text)) => {
                text.first() == Some(&b' ') && text.iter().any(|byte| *byte != b' ')
            }
            Some(Part::Field(_)) => false,
        };
        let dash = self.user_is_word && self.user().is_some();
        let counts = words > 0 || text == TextRule::RequestLine;
        (counts && ends_with_blank).then_some(Role::Leaves { words, end, dash, text })
    }

    /// The user before the time at the end of the run.
    fn user(&self) -> Option<usize> {
        let last = *self.fields.last()?;
        let is_user = self.slot(last)?.name == "user";
        let opens = matches!(self.parts.get(last + 1), Some(Part::Literal(text)) if text == b" [");
        (is_user && opens).then_some(last)
    }

    fn list(&self, field: usize) -> Role {
        let colons = self.slot(field).is_some_and(|slot| slot.name.starts_with("upstream"));
        Role::List { colons }
    }

    fn slot(&self, part: usize) -> Option<&Slot> {
        match &self.parts[part] {
            Part::Field(slot) => Some(slot),
            Part::Literal(_) => None,
        }
    }

    fn is_word(&self, field: usize) -> bool {
        self.slot(field).is_some_and(|slot| slot.syntax == Syntax::Word)
    }

    fn shape(&self, field: usize) -> Shape {
        let Some(slot) = self.slot(field) else { return Shape::Word };
        match slot.syntax {
            Syntax::Status
            | Syntax::Int
            | Syntax::Signed
            | Syntax::Number
            | Syntax::NumberWithPoint => Shape::Typed(1),
            Syntax::Numbers => Shape::Numbers,
            Syntax::Time => match &slot.read {
                FieldType::Time(format) => Shape::Typed(words_of_time(format)),
                _ => Shape::Typed(1),
            },
            _ if self.user() == Some(field) && self.user_is_word => Shape::Word,
            _ if self.user() == Some(field) => Shape::User,
            _ if is_long_list(slot) => Shape::List,
            Syntax::Word => Shape::Word,
            _ if slot.read == FieldType::Request => Shape::Request(TextRule::Request),
            _ if is_raw(&slot.name) => Shape::Raw,
            _ => Shape::Text,
        }
    }
}

fn has_text(slot: &Slot) -> bool {
    matches!(slot.syntax, Syntax::Word | Syntax::Free | Syntax::FreeOrDash)
}

/// Decides which fields of a run may contain blanks, so that it is clear where each ends. Returns
/// whether a text was made a word.
fn settle(shapes: &mut [Shape]) -> bool {
    let is_open = |shape: &Shape| {
        matches!(shape, Shape::Text | Shape::User | Shape::List | Shape::Request(_))
    };
    let raw = shapes.iter().filter(|shape| **shape == Shape::Raw).count();
    if raw > 1 || shapes.iter().any(is_open) {
        shapes.iter_mut().filter(|shape| **shape == Shape::Raw).for_each(|raw| *raw = Shape::Word);
    }
    let line = Shape::Request(TextRule::RequestLine);
    // Whether a text before this field is read as one word. If it has more, the others move on, and
    // no later field may take them up.
    let mut may_be_moved = false;
    for at in 0..shapes.len() {
        let next = shapes[at + 1..].iter().find(|shape| **shape != Shape::Word).copied();
        shapes[at] = match (shapes[at], next) {
            // What follows shows where a text ends only if it has a type.
            (Shape::Text | Shape::User, Some(Shape::Typed(_) | Shape::Numbers) | None)
                if !may_be_moved =>
            {
                continue;
            }
            (Shape::Text | Shape::User, _) => {
                may_be_moved = true;
                Shape::OneOfMany
            }
            // A request of three words shows that itself.
            (
                Shape::Request(_),
                Some(Shape::Text | Shape::User | Shape::List | Shape::Request(_)),
            ) => line,
            (Shape::Request(_), _) if may_be_moved => line,
            _ => continue,
        };
    }
    may_be_moved
}

/// Whether text of this name contains no blank if a client keeps to the rules of HTTP.
fn is_raw(name: &str) -> bool {
    let exact = ["query", "args", "query_string", "referer", "http_referer", "vhost", "http_host"];
    let parts = ["cookie_", "arg_", "_ip", "ip_", "proto", "port", "country", "trace", "span"];
    exact.contains(&name) || name.ends_with("id") || parts.iter().any(|part| name.contains(part))
}

/// Whether a quote, bracket or another character follows a field at once.
pub(super) fn is_closed(parts: &[Part], field: usize) -> bool {
    let after = match parts.get(field + 1) {
        Some(Part::Literal(text)) => text.first(),
        _ => None,
    };
    after.is_some_and(|byte| !matches!(byte, b' ' | b'\t'))
}

/// Whether a part is a field without quotes around it.
fn is_bare(parts: &[Part], part: usize) -> bool {
    let literal = |part: Option<&Part>, byte: fn(&[u8]) -> Option<&u8>| match part {
        Some(Part::Literal(text)) => byte(text).copied(),
        _ => None,
    };
    let before = part.checked_sub(1).and_then(|before| literal(parts.get(before), <[u8]>::last));
    let after = literal(parts.get(part + 1), <[u8]>::first);
    matches!(parts.get(part), Some(Part::Field(_)))
        && !(before == Some(b'"') && after == Some(b'"'))
}

fn is_blank(part: Option<&Part>) -> bool {
    matches!(part, Some(Part::Literal(text)) if text == b" ")
}
