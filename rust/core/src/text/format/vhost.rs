//! The combined format after a virtual host, which Apache on Debian writes with a port and nginx is
//! often configured to write without one.
//!
//! ```text
//! vhost:port host ident user [time] "request" status size "referer" "agent"
//! ```
//!
//! Many logs have another word before the host, such as X-Forwarded-For. So a virtual host without a
//! port has to be a name, and the host an address or a name.

use super::combined::{trim, typical, with_another_time, with_ident};
use super::diagnose;
use super::field_type::{Encoding, FieldType};
use super::identity::{is_address_or_name, is_name, is_port};
use super::parsed::FoundField;
use super::whitespace::{is_blank, skip_blanks, word_end};
use super::{Reject, Span};

const VHOST: &str = "a virtual host: a name, or with a port also an address";
const HOST: &str = "an address or the name of a host";
const IDENT: &str = "a lone '-' and the user";
const END: &str = "the end of the line";

/// The fields, from those of combined.
pub(super) fn fields(combined: Vec<FoundField>) -> Vec<FoundField> {
    let field = |name: &str, read| FoundField { name: name.into(), read, encoding: Encoding::Raw };
    let mut fields = vec![field("vhost", FieldType::Text), field("port", FieldType::Int)];
    fields.extend(combined);
    fields.insert(3, field("ident", FieldType::Text));
    fields
}

/// Finds the fields of a line.
pub(super) fn split(line: &[u8], spans: &mut [Span]) -> Result<(), Reject> {
    let (lead, line) = trim(line);
    let (vhost, port, after) = server(line, lead).ok_or(Reject::new(lead, VHOST))?;
    let rest = &line[after..];
    let found = match typical(rest).or_else(|| with_another_time(rest)) {
        Some([host, others @ ..]) => {
            let [user, time, request, status, size, referer, agent] = others;
            let ident = Span::new(host.end() + 1, host.end() + 2);
            [host, ident, user, time, request, status, size, referer, agent]
        }
        None => with_ident(rest).map_err(|reject| Reject::at(after + reject.byte()))?,
    };
    let reject = |at: usize, expected| Err(Reject::new(after + at, expected));
    let [host, ident, user, time, _, _, size, _, agent] = found;
    let start = skip_blanks(rest, 0);
    let Some(text) = host.of(rest).filter(|_| host.start() == start) else {
        return reject(start, HOST);
    };
    if !text.split(|byte| *byte == b',').all(|one| is_address_or_name(one.trim_ascii())) {
        return reject(start, HOST);
    }
    // Without it the words may be host, ident and user. Between two blanks it is empty.
    let has_user = user.is_some() || is_blank(rest[time.start() - 3]);
    if port == Span::NONE && !(has_user && ident.of(rest) == Some(b"-")) {
        return reject(skip_blanks(rest, host.end()), IDENT);
    }
    let end = if agent.is_some() { agent.end() + 1 } else { size.end() };
    if end < rest.len() {
        return reject(skip_blanks(rest, end), END);
    }
    spans[..2].copy_from_slice(&[vhost, port]);
    for (span, found) in spans[2..].iter_mut().zip(found) {
        let is_some = found.is_some();
        *span = if is_some { Span::new(after + found.start(), after + found.end()) } else { found };
    }
    Ok(())
}

/// The virtual host, its port, and the position after the blank that follows.
fn server(line: &[u8], lead: usize) -> Option<(Span, Span, usize)> {
    let end = word_end(line, lead);
    let word = &line[lead..end];
    let colon = word.iter().rposition(|byte| *byte == b':');
    let colon = colon.filter(|colon| is_port(&word[colon + 1..]));
    let (vhost, port) = match colon {
        Some(colon) => (&word[..colon], Span::new(lead + colon + 1, end)),
        None => (word, Span::NONE),
    };
    // Without brackets a port would be a part of an IPv6 address.
    let fits = if colon.is_some() {
        is_address_or_name(vhost) && (vhost.first() == Some(&b'[') || !vhost.contains(&b':'))
    } else {
        is_name(vhost) || vhost == b"-"
    };
    (fits && end < line.len()).then_some((Span::new(lead, lead + vhost.len()), port, end + 1))
}

/// What was expected in a rejected line, and where.
pub(super) fn diagnose(line: &[u8], reject: Reject) -> Reject {
    let (lead, trimmed) = trim(line);
    match server(trimmed, lead) {
        Some((_, _, after)) if reject.expected().is_empty() => {
            let reject = Reject::at(reject.byte().saturating_sub(after));
            let reject = diagnose::diagnose(&line[after..], reject, false);
            Reject::new(after + reject.byte(), reject.expected())
        }
        _ => reject,
    }
}
