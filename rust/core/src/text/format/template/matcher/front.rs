//! A short way through what most lines of most formats begin with, where they are as servers
//! write them.
//!
//! ```text
//! host - user [time] "request" status size "referer" "agent"
//! ```
//!
//! It finds what the steps would, or leaves a line to them.

use super::run::Cursor;
use super::shapes::{Look, TimeShape};
use super::steps::{Back, Front, Op, Program, Quoted, Step, Way};
use crate::text::format::combined::{USUAL_TIME, Usual};
use crate::text::format::parsed::Span;

/// Puts a step that tries the short way before the first step from which there is one.
pub(super) fn add(steps: &mut Vec<Step>) {
    for at in 0..steps.len() {
        if let Some(front) = Front::of(steps, at) {
            let part = steps[at].part;
            steps.insert(at, Step { op: Op::Front(Box::new(front)), part, optional: false });
            return;
        }
    }
}

impl Front {
    /// The short way from one of the steps on, told as if it stood before it.
    fn of(steps: &[Step], at: usize) -> Option<Self> {
        let mut rest = Steps { steps, at };
        let (host, is_list, ident, user, time, shape) = match rest.next()? {
            Op::Head(head) => {
                rest.blank()?;
                (head.host, false, head.ident, head.user, head.time, None)
            }
            Op::Word { field: host } | Op::List { field: host, colons: false } => {
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
        let (Op::Open, request) = (rest.next()?, rest.quoted()?) else { return None };
        let &Op::StatusAndSize { status, size } = rest.next()? else { return None };
        let step = rest.at + 1;
        let back = rest.back();
        Some(Self { host, is_list, ident, user, time, shape, request, status, size, step, back })
    }
}

/// Takes steps one by one.
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

    /// A word with blanks around it, if it comes next.
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

    /// `user [time] `: the fields, and the step of the time.
    fn user_and_time(&mut self) -> Option<(usize, (usize, usize))> {
        let Op::Until(user) = self.next()? else { return None };
        self.text(b" [")?;
        let step = self.at;
        let Op::Known { field, look: Look::Time(_), .. } = self.next()? else { return None };
        self.text(b"] ")?;
        (!user.word && user.way == Way::First).then_some((user.field, (*field, step)))
    }

    fn back(&mut self) -> Option<Back> {
        self.text(b" \"")?;
        let referer = self.quoted()?;
        self.text(b" \"")?;
        self.quoted()?;
        Some(Back { referer, step: self.at })
    }
}

impl Program {
    /// Goes the short way as far as it leads.
    pub(super) fn front(
        &self,
        line: &[u8],
        cursor: Cursor,
        front: &Front,
        spans: &mut [Span],
    ) -> Cursor {
        let far = self.front_of_usual(line, cursor, front, spans);
        far.unwrap_or(Cursor { at: cursor.at, step: cursor.step + 1 })
    }

    #[inline]
    fn front_of_usual(
        &self,
        line: &[u8],
        cursor: Cursor,
        front: &Front,
        spans: &mut [Span],
    ) -> Option<Cursor> {
        let start = cursor.at;
        let usual = Usual::front(line, start)?;
        let time = usual.user + 2;
        let time_end = time + USUAL_TIME;
        let goes_on = front.is_list && line[..usual.host].ends_with(b",");
        if goes_on || !self.is_time(front, line, time) {
            return None;
        }
        let dash = usual.host + 1;
        if let Some(ident) = front.ident {
            spans[ident] = Span::new(dash, dash + 1);
        }
        let status = usual.request + 2;
        for (field, start, end) in [
            (front.host, start, usual.host),
            (front.user, dash + 2, usual.user),
            (front.time, time, time_end),
            (front.request, time_end + 3, usual.request),
            (front.status, status, status + 3),
            (front.size, status + 4, usual.size),
        ] {
            spans[field] = Span::new(start, end);
        }
        if let Some(back) = &front.back
            && let Some(referer) = usual.referer(line)
        {
            spans[back.referer] = Span::from(referer);
            return Some(Cursor { at: referer.1 + 3, step: back.step });
        }
        let behind = Cursor { at: usual.size, step: front.step };
        self.run(line, behind, usize::MAX, spans).ok()
    }

    fn is_time(&self, front: &Front, line: &[u8], time: usize) -> bool {
        let Some(step) = front.shape else { return true };
        match &self.steps[step].op {
            Op::Known { look: Look::Time(shape), .. } => is_all_time(shape, line, time),
            _ => false,
        }
    }
}

fn is_all_time(shape: &TimeShape, line: &[u8], time: usize) -> bool {
    shape.end(line, time) == Some(time + USUAL_TIME)
}
