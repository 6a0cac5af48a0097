//! What a template is compiled to.

use super::scanners::Scanner;
use crate::text::format::parsed::Span;

/// A template as steps. The last two are `End` and `Done`.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) open: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) op: Op,
    /// The part of the template that it comes from.
    pub(super) part: usize,
    /// Whether the line may end here instead.
    pub(super) optional: bool,
}

/// Numbers of fields are places in the list of spans.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Bytes of a literal; a blank is one or more.
    Text(Box<[u8]>),
    Blank,
    /// The quote before a request, or a bare `-` in place of it. A `Quoted` follows.
    Open,
    /// A field that is known by its look.
    Scanned {
        field: usize,
        scanner: Scanner,
        may_be_empty: bool,
    },
    /// `Blank`, a status, `Blank`, an int: what nearly all formats have, in one go.
    StatusAndSize {
        status: usize,
        size: usize,
    },
    End,
    /// All behind an opening quote, up to and with the closing one.
    Quoted(Quoted),
    /// Up to a blank or the end.
    Word {
        field: usize,
    },
    /// Words, each but the last with a comma behind it or, as upstreams are listed, a lone colon.
    List {
        field: usize,
        colons: bool,
    },
    /// Up to where the text behind it stands.
    Until(Until),
    /// All the rest of the line.
    Rest {
        field: usize,
    },
    Head(Head),
    /// Tries the steps behind it in a short way.
    FastPath(Box<FastPath>),
    Done,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) field: usize,
    pub(super) is_request: bool,
    /// What stands behind the closing quote.
    pub(super) next_bytes: NextBytes,
    pub(super) prefilter: Prefilter,
    /// How many quotes are in what follows, most first, if that is known. Then no other quote than
    /// the one before these can close the field.
    pub(super) quotes_after: Option<Box<[usize]>>,
}

/// A field that ends where its text is followed by another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Until {
    pub(super) field: usize,
    /// What to search for: the first byte of the literal behind the field that is no blank.
    /// Without one the literal is blanks.
    pub(super) delimiter: Option<Delimiter>,
    /// Whether the field ends at a blank in any case.
    pub(super) word: bool,
    pub(super) may_be_empty: bool,
    /// The step before which the look ahead stops.
    pub(super) limit: usize,
    pub(super) search_from: SearchFrom,
    /// What stands behind the delimiter, or behind the closing bracket.
    pub(super) prefilter: Prefilter,
}

/// How to search for what ends a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SearchFrom {
    /// From the left.
    First,
    /// Only the last one of the word can be it, as what follows has none and ends the word.
    Last,
    /// It is a bracket that encloses a time, and this stands behind the closing one.
    Enclosing(NextBytes),
}

/// How most lines of most formats begin: `host ident user [time]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) host: usize,
    /// Without one the format has a `-` there.
    pub(super) ident: Option<usize>,
    pub(super) user: usize,
    pub(super) time: usize,
    /// The step of the request behind it, if there is one, which may be a bare `-`.
    pub(super) request: usize,
    /// What stands behind the closing bracket.
    pub(super) next_bytes: NextBytes,
    pub(super) prefilter: Prefilter,
}

/// A short way through what most lines of most formats begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FastPath {
    pub(super) host: usize,
    /// Whether a comma may be behind the host, and another one then.
    pub(super) is_list: bool,
    pub(super) ident: Option<usize>,
    pub(super) user: usize,
    pub(super) time: usize,
    /// The step of the time, if it has to look like one.
    pub(super) time_step: Option<usize>,
    pub(super) request: usize,
    pub(super) status: usize,
    pub(super) size: usize,
    /// The step behind the size.
    pub(super) step: usize,
    pub(super) trailer: Option<Trailer>,
}

/// ` "referer" "agent"`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) referer: usize,
    /// The step of the agent.
    pub(super) step: usize,
}

/// A delimiter, and what has to stand around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    pub(super) byte: u8,
    pub(super) blank_before: bool,
    pub(super) next_bytes: NextBytes,
}

/// What the bytes behind a delimiter have to be, as far as that is known before a line is seen.
/// The end of the line is asked about later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextBytes {
    pub(super) first: ByteClass,
    /// Of the byte behind that. Behind one blank there may always be another.
    pub(super) second: ByteClass,
}

/// Some of the bytes that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteClass {
    Any,
    /// None: the line has to end.
    Nothing,
    Blank,
    /// A byte with which a number may begin.
    Number,
    /// The same, of a number with a blank behind it.
    NumberAndBlank,
    /// A quote, or the dash that stands for a request.
    Opening,
    Byte(u8),
}

/// What steps take, up to one that is searched for, in coarse items: whatever fits the steps fits
/// these.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prefilter(pub(super) Vec<Item>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Blanks,
    Byte(u8),
    /// A quote, with which it ends, or the dash that stands for a request.
    Opening,
    /// Three digits, or a dash.
    Status,
    Int {
        may_be_empty: bool,
    },
    Number {
        may_be_empty: bool,
    },
    /// The bytes of a time that goes up to the byte behind it.
    TimeBytes {
        may_be_empty: bool,
    },
    /// A time, behind which nothing is known but the byte that ends it, if that is no blank.
    Time {
        terminator: Option<u8>,
        may_be_empty: bool,
    },
    /// Several with commas, colons and blanks.
    Numbers {
        may_be_empty: bool,
    },
    End,
}

impl Step {
    /// Whether it is searched for, so that a look ahead stops before it.
    pub(super) fn is_searched(&self) -> bool {
        match &self.op {
            Op::Text(_)
            | Op::Blank
            | Op::Open
            | Op::Scanned { .. }
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

    /// Makes the fields of a step that was not reached absent.
    pub(super) fn clear(&self, spans: &mut [Span]) {
        match &self.op {
            Op::Scanned { field, .. }
            | Op::Quoted(Quoted { field, .. })
            | Op::Word { field }
            | Op::List { field, .. }
            | Op::Until(Until { field, .. })
            | Op::Rest { field } => spans[*field] = Span::NONE,
            Op::StatusAndSize { status, size } => {
                spans[*status] = Span::NONE;
                spans[*size] = Span::NONE;
            }
            Op::Text(_)
            | Op::Blank
            | Op::Open
            | Op::End
            | Op::Head(_)
            | Op::FastPath(_)
            | Op::Done => {}
        }
    }
}
