//! A cheap check of what follows a delimiter. It runs before the steps, so that most positions
//! that cannot match are rejected 64 bytes at a time, and most of the others one by one.

use super::scanners::Scanner;
use super::steps::{Item, Op, Prefilter, Step};
use crate::ground::block::Block;
use crate::text::format::numbers;
use crate::text::format::scan::FollowMask;
use crate::text::format::whitespace::{after_blanks, is_blank};

impl Prefilter {
    /// Accepts anything.
    pub(super) const NONE: Self = Self(Vec::new());

    /// Builds the prefilter of these steps. The first `taken` bytes of the first literal have
    /// matched already.
    pub(super) fn new(steps: &[Step], taken: usize, open_ended: bool) -> Self {
        let mut items = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let taken = if number == 0 { taken } else { 0 };
            // If an open-ended line may end here, anything may follow the blank that ends it. A
            // `Blank` step never ends a line there, because it matches that blank.
            if step.optional && open_ended && taken == 0 && !matches!(step.op, Op::Blank) {
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
                Op::Scanned { scanner, may_be_empty, .. } => match scanner {
                    Scanner::Status if !may_be_empty => items.push(Item::Status),
                    Scanner::Numbers { spaced: false } => {
                        items.push(Item::Numbers { may_be_empty: *may_be_empty });
                    }
                    Scanner::Int => items.push(Item::Int { may_be_empty: *may_be_empty }),
                    Scanner::Number | Scanner::NumberWithPoint => {
                        items.push(Item::Number { may_be_empty: *may_be_empty });
                    }
                    Scanner::Time(time) => {
                        let mut others = (0..=u8::MAX).filter(|byte| !is_time_byte(*byte));
                        if others.any(|byte| time.may_contain(byte)) {
                            break;
                        }
                        let (terminator, may_be_empty) = (time.terminator(), *may_be_empty);
                        if terminator
                            .is_none_or(|byte| is_time_byte(byte) || !time.ends_before(byte))
                        {
                            items.push(Item::Time { terminator, may_be_empty });
                            break;
                        }
                        items.push(Item::TimeBytes { may_be_empty });
                    }
                    Scanner::Status | Scanner::Signed | Scanner::Numbers { spaced: true } => break,
                },
                // A dash also replaces the quoted field after it.
                Op::OpenRequest => items.push(Item::QuoteOrDash),
                Op::Quoted(_) if items.last() == Some(&Item::QuoteOrDash) => {}
                Op::End if !open_ended => items.push(Item::End),
                _ => break,
            }
        }
        Self::from_items(items)
    }

    /// Keeps the items up to the first one whose end is ambiguous.
    fn from_items(mut items: Vec<Item>) -> Self {
        let clear = items.windows(2).position(|two| two[0].runs_into(two[1]));
        items.truncate(clear.map_or(items.len(), |place| place + 1));
        Self(items)
    }

    /// Whether it accepts anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The delimiters of a block after which the steps may match. `past_end` masks the bytes after the
    /// end of the line.
    pub(super) fn mask_before(
        &self,
        block: &Block,
        past_end: u64,
        delimiters: u64,
        delimiter: u8,
    ) -> u64 {
        let mut matched = FollowMask::after(delimiters);
        for (number, item) in self.0.iter().enumerate() {
            if matched.is_empty() {
                break;
            }
            let rest = &self.0[number + 1..];
            matched = match *item {
                Item::Byte(byte) if byte == delimiter => {
                    return matched.followed_by(block.places(byte) | past_end).matching();
                }
                Item::QuoteOrDash if delimiter == b'-' => {
                    let opening = block.places(b'"') | block.places(b'-') | past_end;
                    return matched.followed_by(opening).matching();
                }
                Item::QuoteOrDash => {
                    let dash = matched.one(block.places(b'-') | past_end);
                    let after_dash =
                        if rest.first() == Some(&Item::Blanks) { block.blanks() } else { u64::MAX };
                    let quote = matched.followed_by(block.places(b'"') | past_end);
                    return quote.or(dash.followed_by(after_dash)).matching();
                }
                Item::End => return matched.followed_by(past_end).matching(),
                item if item.may_contain(delimiter) => break,
                Item::Blanks => matched.one_or_more(block.blanks()),
                Item::Time { terminator, may_be_empty } => {
                    let ends = terminator.map_or(0, |byte| block.places(byte));
                    let inside = item.mask(block) & !ends | past_end;
                    return match (terminator, may_be_empty) {
                        (None, _) => matched.followed_by(inside).matching(),
                        (_, true) => {
                            matched.zero_or_more(inside).followed_by(ends | past_end).matching()
                        }
                        (_, false) => {
                            matched.one_or_more(inside).followed_by(ends | past_end).matching()
                        }
                    };
                }
                // A run of blanks before it may have consumed this byte.
                Item::Byte(byte) if byte <= b' ' => break,
                Item::Byte(byte) => matched.one(block.places(byte) | past_end),
                Item::Status => matched.status(block, past_end),
                Item::Int { may_be_empty }
                | Item::Number { may_be_empty }
                | Item::TimeBytes { may_be_empty } => {
                    let bytes = item.mask(block) | past_end;
                    if may_be_empty {
                        matched.zero_or_more(bytes)
                    } else {
                        matched.one_or_more(bytes)
                    }
                }
                Item::Numbers { may_be_empty } => {
                    let bytes = item.mask(block) | past_end;
                    if may_be_empty {
                        matched.zero_or_more(bytes)
                    } else {
                        matched.followed_by(Item::NUMBER.mask(block) | past_end).one_or_more(bytes)
                    }
                }
            };
        }
        matched.matching()
    }

    /// Whether the steps may match here.
    #[inline]
    pub(super) fn may_match(&self, line: &[u8], mut at: usize) -> bool {
        for item in &self.0 {
            // At the end of the line the answer depends on which steps are optional.
            let Some(&byte) = line.get(at) else { return true };
            at = match item {
                Item::Blanks => match after_blanks(line, at) {
                    Some(end) => end,
                    None => return false,
                },
                Item::Byte(wanted) if byte == *wanted => at + 1,
                Item::QuoteOrDash if byte == b'"' => return true,
                Item::QuoteOrDash if byte == b'-' => at + 1,
                Item::Status => match numbers::status(line, at) {
                    Some(end) => end,
                    None => return false,
                },
                Item::Time { terminator: None, .. } => return is_time_byte(byte),
                Item::Time { terminator: Some(terminator), may_be_empty } => {
                    let is_inside = |byte| byte != *terminator && is_time_byte(byte);
                    let end = skip_while(line, at, is_inside);
                    let ends = line.get(end).is_none_or(|byte| byte == terminator);
                    return ends && (end > at || *may_be_empty);
                }
                Item::Int { may_be_empty }
                | Item::Number { may_be_empty }
                | Item::TimeBytes { may_be_empty } => {
                    let end = match item {
                        Item::Int { .. } => skip_while(line, at, is_int_byte),
                        Item::Number { .. } => skip_while(line, at, is_number_byte),
                        _ => skip_while(line, at, is_time_byte),
                    };
                    if end == at && !may_be_empty {
                        return false;
                    }
                    end
                }
                Item::Numbers { may_be_empty } if *may_be_empty || is_number_byte(byte) => {
                    skip_while(line, at, is_numbers_byte)
                }
                _ => return false,
            };
        }
        true
    }
}

impl Item {
    const NUMBER: Self = Self::Number { may_be_empty: false };

    /// Whether an item may contain this byte.
    fn may_contain(self, byte: u8) -> bool {
        match self {
            Self::Blanks => is_blank(byte),
            Self::Byte(own) => own == byte,
            Self::QuoteOrDash | Self::End => false,
            Self::Time { .. } | Self::TimeBytes { .. } => is_time_byte(byte),
            Self::Int { .. } => is_int_byte(byte),
            Self::Status | Self::Number { .. } => is_number_byte(byte),
            Self::Numbers { .. } => is_numbers_byte(byte),
        }
    }

    /// The positions in a block of the bytes that a number or a time may contain.
    fn mask(self, block: &Block) -> u64 {
        let places = |bytes: &[u8]| bytes.iter().fold(0, |all, &byte| all | block.places(byte));
        match self {
            Self::Int { .. } => block.digits() | places(b"-"),
            Self::Number { .. } => block.numbers() | places(b"+eE"),
            Self::Numbers { .. } => block.numbers() | block.blanks() | places(b"+eE,:"),
            Self::Time { .. } | Self::TimeBytes { .. } => {
                block.numbers() | block.letters() | block.blanks() | places(b"+:,")
            }
            _ => u64::MAX,
        }
    }

    /// Whether this item may also consume the start of the next one, so that its end is ambiguous.
    fn runs_into(self, next: Self) -> bool {
        let is_inside: fn(u8) -> bool = match self {
            Self::Int { .. } => is_int_byte,
            Self::Number { .. } => is_number_byte,
            Self::Numbers { .. } => is_numbers_byte,
            Self::TimeBytes { .. } => is_time_byte,
            _ => return false,
        };
        match next {
            Self::Blanks => b" \t\r\n".iter().any(|byte| is_inside(*byte)),
            Self::Byte(byte) => is_inside(byte),
            Self::End => false,
            _ => true,
        }
    }
}

fn is_int_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'-'
}

fn is_time_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/:+-.,".contains(&byte) || is_blank(byte)
}

fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'-'..=b'9' | b'+' | b'e' | b'E')
}

fn is_numbers_byte(byte: u8) -> bool {
    is_number_byte(byte) || matches!(byte, b',' | b':') || is_blank(byte)
}

#[inline]
fn skip_while(line: &[u8], mut at: usize, is_inside: impl Fn(u8) -> bool) -> usize {
    while at < line.len() && is_inside(line[at]) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::format::scan::{BitPositions, past_end};
    use proptest::prelude::*;

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let item = prop_oneof![
            3 => Just(Item::Blanks),
            2 => prop::sample::select(b"\"]x,1\x01".to_vec()).prop_map(Item::Byte),
            1 => (prop::option::of(prop::sample::select(b"]:,".to_vec())), any::<bool>())
                .prop_map(|(terminator, may_be_empty)| Item::Time { terminator, may_be_empty }),
            1 => prop::sample::select(vec![Item::QuoteOrDash, Item::Status, Item::End]),
            1 => any::<bool>().prop_map(|may_be_empty| Item::TimeBytes { may_be_empty }),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Int { may_be_empty }),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Number { may_be_empty }),
            1 => any::<bool>().prop_map(|may_be_empty| Item::Numbers { may_be_empty }),
        ];
        prop::collection::vec(item, 1..6)
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(20_000))]

        #[test]
        fn the_mask_keeps_each_position_that_may_match(
            items in items(),
            line in prop::collection::vec(prop::sample::select(b"\"]x,: \t\x01-1e9.  ".to_vec()), 1..90),
            delimiter in prop::sample::select(b"\"],-:".to_vec()),
        ) {
            let prefilter = Prefilter::from_items(items);
            let block = Block::at(&line, 0);
            let places = BitPositions::new(block.places(delimiter), 0);
            let kept = prefilter.mask_before(&block, past_end(&line, 0), block.places(delimiter), delimiter);
            for place in places.filter(|place| prefilter.may_match(&line, place + 1)) {
                prop_assert!(kept >> place & 1 == 1, "{place} of {prefilter:?}");
            }
        }
    }
}
