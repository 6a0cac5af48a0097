//! A coarse and quick look at what follows a delimiter, for the few places that masks do not turn
//! away: steps that would not fit are not begun.

use super::shapes::Look;
use super::steps::{Item, Op, Outline, Step};
use crate::ground::block::Block;
use crate::text::format::numbers;
use crate::text::format::scan::Trails;
use crate::text::format::words::{blanks, is_blank};

impl Outline {
    /// Whatever follows.
    pub(super) const NONE: Self = Self(Vec::new());

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
                    Item::Int { may_be_empty: false },
                ]),
                Op::Known { look, may_be_empty, .. } => match look {
                    Look::Status if !may_be_empty => items.push(Item::Status),
                    Look::Numbers => {
                        items.push(Item::Numbers { may_be_empty: *may_be_empty });
                    }
                    Look::Int => items.push(Item::Int { may_be_empty: *may_be_empty }),
                    Look::Number => items.push(Item::Number { may_be_empty: *may_be_empty }),
                    Look::Time(shape) => {
                        let mut others = (0..=u8::MAX).filter(|byte| !is_of_time(*byte));
                        if others.any(|byte| shape.has(byte)) {
                            break;
                        }
                        let (behind, may_be_empty) = (shape.behind(), *may_be_empty);
                        if behind.is_none_or(|byte| is_of_time(byte) || !shape.ends_before(byte)) {
                            items.push(Item::Time { behind, may_be_empty });
                            break;
                        }
                        items.push(Item::Inside { may_be_empty });
                    }
                    Look::Status => break,
                },
                // A dash takes the field behind it too.
                Op::Open => items.push(Item::Opening),
                Op::Quoted(_) if items.last() == Some(&Item::Opening) => {}
                Op::End if !open => items.push(Item::End),
                _ => break,
            }
        }
        Self::of(items)
    }

    /// Of items up to the first whose end is not known.
    fn of(mut items: Vec<Item>) -> Self {
        let clear = items.windows(2).position(|two| two[0].runs_into(two[1]));
        items.truncate(clear.map_or(items.len(), |place| place + 1));
        Self(items)
    }

    /// Whether it tells nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The marks of a block behind which the steps may fit. `past` is what is behind the line's end.
    pub(super) fn before(&self, block: &Block, past: u64, marks: u64, mark: u8) -> u64 {
        let mut trails = Trails::behind(marks);
        for (number, item) in self.0.iter().enumerate() {
            if trails.all_ended() {
                break;
            }
            let rest = &self.0[number + 1..];
            trails = match *item {
                Item::Byte(byte) if byte == mark => {
                    return trails.next(block.places(byte) | past).marks();
                }
                Item::Opening if mark == b'-' => {
                    let opening = block.places(b'"') | block.places(b'-') | past;
                    return trails.next(opening).marks();
                }
                Item::Opening => {
                    let dash = trails.one(block.places(b'-') | past);
                    let behind =
                        if rest.first() == Some(&Item::Blanks) { block.blanks() } else { u64::MAX };
                    let quote = trails.next(block.places(b'"') | past);
                    return quote.or(dash.next(behind)).marks();
                }
                Item::End => return trails.next(past).marks(),
                item if item.takes(mark) => break,
                Item::Blanks => trails.some(block.blanks()),
                Item::Time { behind, may_be_empty } => {
                    let ends = behind.map_or(0, |byte| block.places(byte));
                    let inside = item.bits(block) & !ends | past;
                    return match (behind, may_be_empty) {
                        (None, _) => trails.next(inside).marks(),
                        (_, true) => trails.any(inside).next(ends | past).marks(),
                        (_, false) => trails.some(inside).next(ends | past).marks(),
                    };
                }
                // A run of blanks may have gone on over one.
                Item::Byte(byte) if byte <= b' ' => break,
                Item::Byte(byte) => trails.one(block.places(byte) | past),
                Item::Status => trails.status(block, past),
                Item::Int { may_be_empty }
                | Item::Number { may_be_empty }
                | Item::Inside { may_be_empty } => {
                    let bytes = item.bits(block) | past;
                    if may_be_empty { trails.any(bytes) } else { trails.some(bytes) }
                }
                Item::Numbers { may_be_empty } => {
                    let bytes = item.bits(block) | past;
                    if may_be_empty {
                        trails.any(bytes)
                    } else {
                        trails.next(Item::NUMBER.bits(block) | past).some(bytes)
                    }
                }
            };
        }
        trails.marks()
    }

    /// Whether the steps may fit here.
    #[inline]
    pub(super) fn may_be(&self, line: &[u8], mut at: usize) -> bool {
        for item in &self.0 {
            // At the end of the line all depends on which steps are optional.
            let Some(&byte) = line.get(at) else { return true };
            at = match item {
                Item::Blanks => match blanks(line, at) {
                    Some(end) => end,
                    None => return false,
                },
                Item::Byte(wanted) if byte == *wanted => at + 1,
                Item::Opening if byte == b'"' => return true,
                Item::Opening if byte == b'-' => at + 1,
                Item::Status => match numbers::status(line, at) {
                    Some(end) => end,
                    None => return false,
                },
                Item::Time { behind: None, .. } => return is_of_time(byte),
                Item::Time { behind: Some(behind), may_be_empty } => {
                    let is_inside = |byte| byte != *behind && is_of_time(byte);
                    let end = end_of_all(line, at, is_inside);
                    let ends = line.get(end).is_none_or(|byte| byte == behind);
                    return ends && (end > at || *may_be_empty);
                }
                Item::Int { may_be_empty }
                | Item::Number { may_be_empty }
                | Item::Inside { may_be_empty } => {
                    let end = match item {
                        Item::Int { .. } => end_of_all(line, at, is_of_int),
                        Item::Number { .. } => end_of_all(line, at, is_of_number),
                        _ => end_of_all(line, at, is_of_time),
                    };
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
    const NUMBER: Self = Self::Number { may_be_empty: false };

    /// Whether a byte may be in it.
    fn takes(self, byte: u8) -> bool {
        match self {
            Self::Blanks => is_blank(byte),
            Self::Byte(own) => own == byte,
            Self::Opening | Self::End => false,
            Self::Time { .. } | Self::Inside { .. } => is_of_time(byte),
            Self::Int { .. } => is_of_int(byte),
            Self::Status | Self::Number { .. } => is_of_number(byte),
            Self::Numbers { .. } => is_of_numbers(byte),
        }
    }

    /// The places of the bytes of a number or a time.
    fn bits(self, block: &Block) -> u64 {
        let places = |bytes: &[u8]| bytes.iter().fold(0, |all, &byte| all | block.places(byte));
        match self {
            Self::Int { .. } => block.digits() | places(b"-"),
            Self::Number { .. } => block.numbers() | places(b"+eE"),
            Self::Numbers { .. } => block.numbers() | block.blanks() | places(b"+eE,:"),
            Self::Time { .. } | Self::Inside { .. } => {
                block.numbers() | block.letters() | block.blanks() | places(b"+:,")
            }
            _ => u64::MAX,
        }
    }

    /// Whether the bytes of this one may go on into the next, so that its end is not known.
    fn runs_into(self, next: Self) -> bool {
        let is_of: fn(u8) -> bool = match self {
            Self::Int { .. } => is_of_int,
            Self::Number { .. } => is_of_number,
            Self::Numbers { .. } => is_of_numbers,
            Self::Inside { .. } => is_of_time,
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

fn is_of_int(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'-'
}

fn is_of_time(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/:+-.,".contains(&byte) || is_blank(byte)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::format::scan::{Bits, past};
    use proptest::prelude::*;

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let item = prop_oneof![
            3 => Just(Item::Blanks),
            2 => prop::sample::select(b"\"]x,1\x01".to_vec()).prop_map(Item::Byte),
            1 => (prop::option::of(prop::sample::select(b"]:,".to_vec())), any::<bool>())
                .prop_map(|(behind, may_be_empty)| Item::Time { behind, may_be_empty }),
            1 => prop::sample::select(vec![Item::Opening, Item::Status, Item::End]),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Inside { may_be_empty }),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Int { may_be_empty }),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Number { may_be_empty }),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Numbers { may_be_empty }),
        ];
        prop::collection::vec(item, 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn no_mark_is_turned_away_that_a_walk_keeps(
            items in items(),
            line in prop::collection::vec(prop::sample::select(b"\"]x,: \t\x01-1e9.  ".to_vec()), 1..90),
            mark in prop::sample::select(b"\"],-:".to_vec()),
        ) {
            let outline = Outline::of(items);
            let block = Block::at(&line, 0);
            let places = Bits::new(block.places(mark), 0);
            let kept = outline.before(&block, past(&line, 0), block.places(mark), mark);
            for place in places.filter(|place| outline.may_be(&line, place + 1)) {
                prop_assert!(kept >> place & 1 == 1, "{place} of {outline:?}");
            }
        }
    }
}
