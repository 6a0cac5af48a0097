//! A coarse and quick look at what follows a delimiter, for the few places that masks do not turn
//! away: steps that would not fit are not begun.

use super::find::{is_blank, skip_blanks};
use super::shapes::{self, Look};
use super::steps::{Op, Step};

/// What steps take, up to one that is searched for, in coarse items: whatever fits the steps fits
/// these.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outline(Vec<Item>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Blanks,
    Byte(u8),
    /// A quote, with which it ends, or the dash that stands for a request.
    Opening,
    /// Three digits, or a dash.
    Status,
    Number {
        may_be_empty: bool,
    },
    /// Several with commas, colons and blanks.
    Numbers {
        may_be_empty: bool,
    },
    End,
}

impl Outline {
    /// Of what these steps take, of whose first literal some bytes are taken.
    pub(super) fn new(steps: &[Step], taken: usize, open: bool) -> Self {
        let mut items = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let taken = if number == 0 { taken } else { 0 };
            // Where the line may end instead, all kinds of bytes may be behind that end; but
            // where a blank would do, it goes on at each.
            if step.optional && open && taken == 0 && !matches!(step.op, Op::Blank) {
                break;
            }
            match &step.op {
                Op::Text(text) => items.extend(text.iter().skip(taken).map(|byte| match byte {
                    b' ' => Item::Blanks,
                    byte => Item::Byte(*byte),
                })),
                Op::Blank => items.push(Item::Blanks),
                Op::StatusAndSize { .. } => items.extend([
                    Item::Blanks,
                    Item::Status,
                    Item::Blanks,
                    Item::Number { may_be_empty: false },
                ]),
                Op::Known { look, may_be_empty, .. } => match look {
                    Look::Status if !may_be_empty => items.push(Item::Status),
                    Look::Numbers => {
                        items.push(Item::Numbers { may_be_empty: *may_be_empty });
                    }
                    Look::Int | Look::Number => {
                        items.push(Item::Number { may_be_empty: *may_be_empty });
                    }
                    Look::Status | Look::Time(_) => break,
                },
                // A dash takes the field behind it too.
                Op::Open => items.push(Item::Opening),
                Op::Quoted(_) if items.last() == Some(&Item::Opening) => {}
                Op::End if !open => items.push(Item::End),
                _ => break,
            }
        }
        let clear = items.windows(2).position(|two| two[0].runs_into(two[1]));
        items.truncate(clear.map_or(items.len(), |place| place + 1));
        Self(items)
    }

    /// Whether the steps may fit here.
    #[inline]
    pub(super) fn may_be(&self, line: &[u8], mut at: usize) -> bool {
        for item in &self.0 {
            // At the end of the line all depends on which steps are optional.
            let Some(&byte) = line.get(at) else { return true };
            at = match item {
                Item::Blanks if is_blank(byte) => skip_blanks(line, at + 1),
                Item::Byte(wanted) if byte == *wanted => at + 1,
                Item::Opening if byte == b'"' => return true,
                Item::Opening if byte == b'-' => at + 1,
                Item::Status => match shapes::status(line, at) {
                    Some(end) => end,
                    None => return false,
                },
                Item::Number { may_be_empty } => {
                    let end = end_of_all(line, at, is_of_number);
                    if end == at && !may_be_empty {
                        return false;
                    }
                    end
                }
                Item::Numbers { may_be_empty } if *may_be_empty || is_of_number(byte) => {
                    end_of_all(line, at, is_of_numbers)
                }
                _ => return false,
            };
        }
        true
    }
}

impl Item {
    /// Whether the bytes of this one may go on into the next, so that its end is not known.
    fn runs_into(self, next: Self) -> bool {
        let is_of: fn(u8) -> bool = match self {
            Self::Number { .. } => is_of_number,
            Self::Numbers { .. } => is_of_numbers,
            _ => return false,
        };
        match next {
            Self::Blanks => b" \t\r\n".iter().any(|byte| is_of(*byte)),
            Self::Byte(byte) => is_of(byte),
            Self::End => false,
            _ => true,
        }
    }
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'-'..=b'9' | b'+' | b'e' | b'E')
}

fn is_of_numbers(byte: u8) -> bool {
    is_of_number(byte) || matches!(byte, b',' | b':') || is_blank(byte)
}

#[inline]
fn end_of_all(line: &[u8], mut at: usize, is_of: impl Fn(u8) -> bool) -> usize {
    while at < line.len() && is_of(line[at]) {
        at += 1;
    }
    at
}
