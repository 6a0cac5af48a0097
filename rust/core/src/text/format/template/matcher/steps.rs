//! The compiled form of a template.

use super::scanners::Scanner;
use crate::text::format::identity::Check;
use crate::text::format::parsed::Span;

/// A template as a list of steps. The last two are `End` and `Done`.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) open_ended: bool,
    /// Whether a blank is exactly one and a word may be empty. Otherwise it is one or more.
    pub(super) exact: bool,
    /// How many blanks may follow the last field of a line that is read exactly.
    pub(super) trailing_blanks: usize,
    /// Whether a backslash is text and a value has no quote.
    pub(super) raw: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) op: Op,
    /// The index of the template part it comes from.
    pub(super) part: usize,
    /// Whether the line may end before this step.
    pub(super) optional: bool,
}

/// `field` and the like are indices into the list of spans.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// The bytes of a literal.
    Text(Box<[u8]>),
    Blank,
    /// The quote that opens a request, or a bare `-` in place of the whole quoted request. A
    /// `Quoted` follows.
    OpenRequest,
    /// A field that ends where its own syntax ends.
    Scanned {
        field: usize,
        scanner: Scanner,
        may_be_empty: bool,
    },
    /// `Blank`, status, `Blank`, int in one step, because nearly all formats have them.
    StatusAndSize {
        status: usize,
        size: usize,
    },
    End,
    /// The text after an opening quote, and the closing quote.
    Quoted(Quoted),
    /// Text up to a blank or the end of the line.
    Word {
        field: usize,
    },
    /// As `Word`, or up to the byte that closes it, found while a field before it is searched for.
    TailWord {
        field: usize,
        closes: Option<u8>,
    },
    /// Words separated by commas or, in nginx's lists of upstreams, also by lone colons.
    List {
        field: usize,
        colons: bool,
        check: Check,
    },
    /// Text up to the literal after it.
    Until(Until),
    /// The rest of the line.
    Rest {
        field: usize,
        quotes: QuotesOfText,
    },
    Head(Head),
    /// Tries to match several of the next steps at once.
    FastPath(Box<FastPath>),
    Done,
}

/// The quotes that a text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuotesOfText {
    Any,
    Escaped,
    None,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) field: usize,
    pub(super) is_request: bool,
    /// The bytes allowed after the closing quote.
    pub(super) next_bytes: NextBytes,
    pub(super) prefilter: Prefilter,
    /// How many quotes follow the closing one, if that is known: several counts, the largest
    /// first, where the line may end early. Only a quote with that many after it can close the
    /// field.
    pub(super) quotes_after: Option<Box<[usize]>>,
    pub(super) inner: InnerQuotes,
}

/// The unescaped quotes that a field between quotes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InnerQuotes {
    Any,
    /// Those without ` "` after them: these end one field and open the next.
    WithinField,
    None,
}

/// A field that ends where the rest of the template matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Until {
    pub(super) field: usize,
    pub(super) check: Check,
    /// What to search for: the first non-blank byte of the literal after the field. `None` if the
    /// literal has only blanks.
    pub(super) delimiter: Option<Delimiter>,
    /// Whether the field cannot contain a blank.
    pub(super) word: bool,
    pub(super) may_be_empty: bool,
    /// The step before which the lookahead stops.
    pub(super) limit: usize,
    pub(super) search_from: SearchFrom,
    /// What may follow the delimiter, or the closing bracket.
    pub(super) prefilter: Prefilter,
    pub(super) rule: EndRule,
}

/// Where a field ends among its delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndRule {
    /// At the first one after which the steps match.
    First,
    /// As `First`, for a user: blanks only between words that cannot be other fields.
    User,
    /// As `First`, for an address: its own colons do not end it.
    Address,
    /// At the only one after which the steps match; with `whole`, all steps up to the end.
    Only { text: TextRule, whole: bool },
    /// This many words before the first one after which the steps match, at the end of the line if
    /// there is no delimiter. `end` is the part of the template with the delimiter. With `dash`,
    /// the last but one of these words is a dash.
    Leaves { words: usize, end: usize, dash: bool, text: TextRule },
}

/// Which text a field that may contain blanks has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextRule {
    Any,
    /// A request. One that ends with its protocol is preferred.
    Request,
    /// Method, target and protocol, or `-`.
    RequestLine,
}

/// Where the search for the delimiter of a field begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SearchFrom {
    /// At the start of the field, to the right.
    Start,
    /// At the end of the word, to the left: what follows the delimiter ends the word and cannot
    /// contain the delimiter, so only the last one can match.
    End,
    /// At each pair of brackets: the delimiter opens the brackets around a time. Has the bytes
    /// allowed after the closing bracket.
    Brackets(NextBytes),
}

/// `host ident user [time]`, the beginning of lines in most formats.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) host: usize,
    /// `None` if the format has a literal `-` in its place.
    pub(super) ident: Option<usize>,
    pub(super) user: usize,
    pub(super) time: usize,
    /// The step of the request after it, which may be a bare `-`; `usize::MAX` without one.
    pub(super) request: usize,
    /// The bytes allowed after the closing bracket.
    pub(super) next_bytes: NextBytes,
    pub(super) prefilter: Prefilter,
}

/// A fast path for the usual beginning of a line, up to the size or the referer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FastPath {
    pub(super) host: usize,
    /// Whether the host may be a comma-separated list.
    pub(super) is_list: bool,
    pub(super) ident: Option<usize>,
    pub(super) user: usize,
    pub(super) time: usize,
    /// The step of the time, if its syntax has to be checked.
    pub(super) time_step: Option<usize>,
    pub(super) request: usize,
    pub(super) status: usize,
    pub(super) size: usize,
    /// The step after the size.
    pub(super) step: usize,
    pub(super) trailer: Option<Trailer>,
}

/// The end of a line in combined format: ` "referer" "agent"`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) referer: usize,
    /// The step of the agent.
    pub(super) step: usize,
}

/// The byte that ends a field, and what has to surround it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    pub(super) byte: u8,
    pub(super) blank_before: bool,
    pub(super) next_bytes: NextBytes,
}

/// The two bytes after a delimiter, as far as the template determines them. The end of the line
/// always matches here; the steps check it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextBytes {
    pub(super) first: ByteClass,
    /// The class of the byte after that. After a first blank, another blank always matches.
    pub(super) second: ByteClass,
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteClass {
    Any,
    /// No byte: the line has to end.
    LineEnd,
    Blank,
    /// The first byte of a number.
    Number,
    /// The first byte of a number that a blank follows.
    NumberAndBlank,
    /// A quote, or the dash that replaces a request.
    QuoteOrDash,
    Byte(u8),
}

/// A coarse and cheap version of the steps up to the next searched field. It accepts whatever the
/// steps accept, so a mismatch saves running them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prefilter(pub(super) Vec<Item>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Blanks,
    Byte(u8),
    /// A quote, which ends the check, or the dash that replaces a request.
    QuoteOrDash,
    /// Three digits or a dash.
    Status,
    Int {
        may_be_empty: bool,
    },
    Number {
        may_be_empty: bool,
    },
    /// The bytes of a time that ends at the byte after it.
    TimeBytes {
        may_be_empty: bool,
    },
    /// A time and the non-blank byte that ends it, if there is one. It ends the check.
    Time {
        terminator: Option<u8>,
        may_be_empty: bool,
    },
    /// Numbers separated by commas, colons and blanks.
    Numbers {
        may_be_empty: bool,
    },
    End,
}

impl Step {
    /// Whether the field is searched for, so that a lookahead stops before this step.
    pub(super) fn is_searched(&self) -> bool {
        match &self.op {
            Op::Text(_)
            | Op::Blank
            | Op::OpenRequest
            | Op::Scanned { .. }
            | Op::TailWord { .. }
            | Op::StatusAndSize { .. }
            | Op::End => false,
            Op::Quoted(_)
            | Op::Word { .. }
            | Op::List { .. }
            | Op::Until(_)
            | Op::Rest { .. }
            | Op::Head(_)
            | Op::FastPath(_)
            | Op::Done => true,
        }
    }

    /// Marks the fields of a step that was not reached as absent.
    pub(super) fn clear(&self, spans: &mut [Span]) {
        match &self.op {
            Op::Scanned { field, .. }
            | Op::Quoted(Quoted { field, .. })
            | Op::Word { field }
            | Op::TailWord { field, .. }
            | Op::List { field, .. }
            | Op::Until(Until { field, .. })
            | Op::Rest { field, .. } => spans[*field] = Span::NONE,
            Op::StatusAndSize { status, size } => {
                spans[*status] = Span::NONE;
                spans[*size] = Span::NONE;
            }
            Op::Text(_)
            | Op::Blank
            | Op::OpenRequest
            | Op::End
            | Op::Head(_)
            | Op::FastPath(_)
            | Op::Done => {}
        }
    }
}
