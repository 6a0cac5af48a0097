//! Finds the bytes of a matched line that its format does not read.

use super::prefix::prefix_end;
use super::whitespace::{ByteRange, skip_blanks, trim_blanks_end, word_end};
use super::{Format, Matcher, Reader, Span, combined};

/// Bytes of a line that no field covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PassedOver {
    pub(crate) text: Vec<u8>,
    /// Where they are, for people: `after the agent`.
    pub(crate) place: String,
}

impl PassedOver {
    fn new(line: &[u8], (start, end): ByteRange, place: &str) -> Self {
        Self { text: line[start..end].to_vec(), place: place.to_owned() }
    }
}

/// The fields that only the line of a request has, in a format of any objects.
const OF_REQUESTS: [&str; 5] = ["method", "url", "request", "path", "status"];

/// The key by which Caddy's access messages differ from others, which may have a request too.
const LOGGER: &str = "logger";

impl Reader {
    /// Creates a reader that `is_complete` can be called on.
    pub(crate) fn for_detection(format: &Format) -> Self {
        let is_json = matches!(format.0.matcher, Matcher::Json(_));
        let names = if is_json { &[&OF_REQUESTS[..], &[LOGGER]].concat() } else { &Vec::new() };
        Self::lenient(format, names)
    }

    /// Whether the format reads all of the line that was read last, so that it is probably the
    /// format that wrote it. Of any JSON object that is the case if the object is a request.
    pub(crate) fn is_complete(&self, line: &[u8]) -> bool {
        match &self.format().0.matcher {
            Matcher::Json(json) if json.is_any() => {
                let found = self.spans().iter().zip(&self.format().0.found);
                let is_request = found
                    .filter(|(span, _)| span.is_some())
                    .any(|(_, one)| OF_REQUESTS.contains(&&*one.name));
                let logger = self.span_of(LOGGER).and_then(|span| span.of(self.own_text(line)));
                is_request && logger.is_none_or(|name| name.starts_with(b"http.log.access"))
            }
            _ => self.passed_over(line).is_none(),
        }
    }

    /// Whether the last field of the line that was read last contains the quotes between two
    /// fields, which no server writes unescaped: then the line has more fields than the format.
    pub(crate) fn swallows_fields(&self, line: &[u8]) -> bool {
        let last = self.spans().iter().filter(|span| span.is_some()).max_by_key(|span| span.end());
        let text = last.and_then(|span| span.of(self.own_text(line))).unwrap_or_default();
        matches!(self.format().0.matcher, Matcher::Template(_))
            && text.windows(3).any(|three| three == b"\" \"")
    }

    /// The bytes of the line that was read last that are in no field although a server wrote them:
    /// words before the host, an ident, or fields after the last one of the format. The prefix of a
    /// collector is not among them.
    pub(crate) fn passed_over(&self, line: &[u8]) -> Option<PassedOver> {
        if let Some(other) = self.alternative() {
            return other.passed_over(line);
        }
        let own = self.own_text(line);
        match &self.format().0.matcher {
            Matcher::Common | Matcher::Combined => self.around_combined(own),
            Matcher::Template(template) => {
                let before = template.begins_with_head().then(|| self.before_host(own)).flatten();
                let is_open = template.is_open_ended() && !self.format().is_open_on_purpose();
                before.or_else(|| is_open.then(|| self.after_last(own, false)).flatten())
            }
            _ => None,
        }
    }

    fn around_combined(&self, line: &[u8]) -> Option<PassedOver> {
        self.before_host(line).or_else(|| self.ident(line)).or_else(|| self.after_last(line, true))
    }

    /// The words before the host.
    fn before_host(&self, line: &[u8]) -> Option<PassedOver> {
        let host = self.span_of("host")?;
        let (lead, _) = combined::trim(line);
        let end = trim_blanks_end(line, host.start());
        let is_prefix = lead < end && prefix_end(line).is_some_and(|after| after >= host.start());
        (lead < end && !is_prefix).then(|| PassedOver::new(line, (lead, end), "before the host"))
    }

    /// The ident, unless it is `-` as nearly everywhere.
    fn ident(&self, line: &[u8]) -> Option<PassedOver> {
        let (host, user) = (self.span_of("host")?, self.span_of("user")?);
        let start = skip_blanks(line, host.end());
        let end = word_end(line, start).min(user.start());
        let is_read = start >= end || matches!(&line[start..end], b"-" | b"\"-\"" | b"\"\"");
        (!is_read).then(|| PassedOver::new(line, (start, end), "before the user"))
    }

    /// What follows the last field, its closing quote or bracket, and a blank.
    fn after_last(&self, line: &[u8], by_hand: bool) -> Option<PassedOver> {
        let found = self.spans().iter().zip(&self.format().0.found);
        let (span, field) =
            found.filter(|(span, _)| span.is_some()).max_by_key(|(span, _)| span.end())?;
        let end = trim_blanks_end(line, line.len());
        let after = span.end() + usize::from(by_hand && line.get(span.end()) == Some(&b'"'));
        // Lines of an open-ended format go on after a blank.
        let start = skip_blanks(line, if by_hand { after } else { word_end(line, after) });
        let place = if field.name.is_empty() { "last field" } else { &field.name };
        (start < end).then(|| PassedOver::new(line, (start, end), &format!("after the {place}")))
    }

    fn span_of(&self, name: &str) -> Option<Span> {
        let at = self.format().index_of(name)?;
        self.spans().get(at).copied().filter(|span| span.is_some())
    }
}

impl Format {
    /// Whether a user wrote the `{...}` that accepts further fields.
    fn is_open_on_purpose(&self) -> bool {
        self.spec().contains("{...}")
    }
}
