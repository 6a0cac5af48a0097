//! A fast path for the usual beginning of a line, as servers write it in most formats.
//!
//! ```text
//! host - user [time] "request" status size "referer" "agent"
//! ```
//!
//! It finds the same fields as the steps, or leaves the line to them.

use super::run::Cursor;
use super::scanners::Scanner;
use super::steps::{FastPath, Op, Program, Quoted, SearchFrom, Step, Trailer};
use crate::text::format::combined::TypicalFront;
use crate::text::format::parsed::Span;

/// Inserts a `FastPath` step before the first steps that it can replace.
pub(super) fn insert(steps: &mut Vec<Step>) {
    for at in 0..steps.len() {
        if let Some(path) = FastPath::find(steps, at) {
            let part = steps[at].part;
            steps.insert(at, Step { op: Op::FastPath(Box::new(path)), part, optional: false });
            return;
        }
    }
}

impl FastPath {
    /// The fast path over the steps from `at` on, if they are the usual ones. Its step numbers
    /// already count the `FastPath` step that will be inserted.
    fn find(steps: &[Step], at: usize) -> Option<Self> {
        let mut rest = Steps { steps, at };
        let (host, is_list, ident, user, time, time_step) = match rest.next()? {
            Op::Head(head) => {
                rest.blank()?;
                (head.host, false, head.ident, head.user, head.time, None)
            }
            Op::Word { field: host } | Op::List { field: host, colons: false, .. } => {
                let is_list = matches!(steps[at].op, Op::List { .. });
                let ident = rest.ident();
                if ident.is_none() {
                    rest.text(b" - ")?;
                }
                let (user, time) = rest.user_and_time()?;
                (*host, is_list, ident, user, time.0, Some(time.1 + 1))
            }
            _ => return None,
        };
        let (Op::OpenRequest, request) = (rest.next()?, rest.quoted()?) else { return None };
        let &Op::StatusAndSize { status, size } = rest.next()? else { return None };
        let step = rest.at + 1;
        let trailer = rest.trailer();
        Some(Self {
            host,
            is_list,
            ident,
            user,
            time,
            time_step,
            request,
            status,
            size,
            step,
            trailer,
        })
    }
}

/// A cursor over the steps.
struct Steps<'a> {
    steps: &'a [Step],
    at: usize,
}

impl<'a> Steps<'a> {
    fn next(&mut self) -> Option<&'a Op> {
        self.at += 1;
        Some(&self.steps.get(self.at - 1)?.op)
    }

    fn blank(&mut self) -> Option<()> {
        matches!(self.next()?, Op::Blank).then_some(())
    }

    fn text(&mut self, wanted: &[u8]) -> Option<()> {
        matches!(self.next()?, Op::Text(text) if **text == *wanted).then_some(())
    }

    fn quoted(&mut self) -> Option<usize> {
        let Op::Quoted(Quoted { field, .. }) = self.next()? else { return None };
        Some(*field)
    }

    /// The field of a word between blanks, if that is next.
    fn ident(&mut self) -> Option<usize> {
        let [Step { op: Op::Blank, .. }, Step { op: Op::Word { field }, .. }, ..] =
            self.steps.get(self.at..)?
        else {
            return None;
        };
        self.at += 2;
        self.blank()?;
        Some(*field)
    }

    /// The fields of `user [time] `, and the step of the time.
    fn user_and_time(&mut self) -> Option<(usize, (usize, usize))> {
        let Op::Until(user) = self.next()? else { return None };
        self.text(b" [")?;
        let step = self.at;
        let Op::Scanned { field, scanner: Scanner::Time(_), .. } = self.next()? else {
            return None;
        };
        self.text(b"] ")?;
        (!user.word && user.search_from == SearchFrom::Start)
            .then_some((user.field, (*field, step)))
    }

    fn trailer(&mut self) -> Option<Trailer> {
        self.text(b" \"")?;
        let referer = self.quoted()?;
        self.text(b" \"")?;
        self.quoted()?;
        Some(Trailer { referer, step: self.at })
    }
}

impl Program {
    /// Matches the usual beginning of a line, or moves on to the steps one by one.
    pub(super) fn fast_path(
        &self,
        line: &[u8],
        cursor: Cursor,
        path: &FastPath,
        spans: &mut [Span],
    ) -> Cursor {
        let reached = self.usual_start(line, cursor, path, spans);
        reached.unwrap_or(Cursor { at: cursor.at, step: cursor.step + 1 })
    }

    #[inline]
    fn usual_start(
        &self,
        line: &[u8],
        cursor: Cursor,
        path: &FastPath,
        spans: &mut [Span],
    ) -> Option<Cursor> {
        let start = cursor.at;
        let found = match TypicalFront::parse::<true>(line, start) {
            Some(found) => found,
            None => TypicalFront::of_another_time(line, start)?,
        };
        let (time, time_end) = (found.user + 2, found.time);
        let list_continues = path.is_list && line[..found.host].ends_with(b",");
        if list_continues || !self.is_time(path, line, (time, time_end)) {
            return None;
        }
        let ident_at = found.host + 1;
        if let Some(ident) = path.ident {
            spans[ident] = Span::new(ident_at, ident_at + 1);
        }
        let status = found.request + 2;
        for (field, start, end) in [
            (path.host, start, found.host),
            (path.user, ident_at + 2, found.user),
            (path.time, time, time_end),
            (path.request, time_end + 3, found.request),
            (path.status, status, status + 3),
            (path.size, status + 4, found.size),
        ] {
            spans[field] = Span::new(start, end);
        }
        if let Some(trailer) = &path.trailer
            && let Some(referer) = found.referer(line)
        {
            spans[trailer.referer] = Span::from(referer);
            return Some(Cursor { at: referer.1 + 3, step: trailer.step });
        }
        let after_size = Cursor { at: found.size, step: path.step };
        self.run(line, after_size, usize::MAX, spans).ok()
    }

    fn is_time(&self, path: &FastPath, line: &[u8], (start, end): (usize, usize)) -> bool {
        let Some(step) = path.time_step else { return true };
        match &self.steps[step].op {
            Op::Scanned { scanner: Scanner::Time(scanner), .. } => {
                scanner.end(line, start) == Some(end)
            }
            _ => false,
        }
    }
}
