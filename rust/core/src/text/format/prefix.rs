//! Skips the prefixes that log collectors add: container runtimes, docker compose, syslog.

/// Longer words are not names of hosts or programs.
const MAX_WORD_LEN: usize = 255;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The end of a collector's prefix, where the original line begins, if there is one.
pub(crate) fn prefix_end(line: &[u8]) -> Option<usize> {
    let start = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let rest = &line[start..];
    let end = after_cri(rest)
        .or_else(|| after_syslog(rest))
        .or_else(|| after_compose(rest))
        .filter(|end| *end < rest.len())?;
    Some(start + end)
}

/// `2025-01-02T03:04:05.123456789Z stdout F `, the format of the Container Runtime Interface.
fn after_cri(line: &[u8]) -> Option<usize> {
    let mut rest = Cursor { line, at: 0 };
    is_iso(rest.word()?).then_some(())?;
    matches!(rest.word()?, b"stdout" | b"stderr").then_some(())?;
    // F for a full line, P for a partial one; tags may follow after colons.
    matches!(rest.word()?, [b'F' | b'P'] | [b'F' | b'P', b':', ..]).then_some(())?;
    Some(rest.at)
}

/// `name-1  | `, as docker compose aligns its services.
fn after_compose(line: &[u8]) -> Option<usize> {
    let mut rest = Cursor { line, at: 0 };
    let name = rest.word()?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.iter().all(is_plain).then_some(())?;
    (rest.word()? == b"|").then_some(rest.at)
}

/// RFC 3164 and RFC 5424 syslog, with or without a priority.
fn after_syslog(line: &[u8]) -> Option<usize> {
    let after = after_priority(line);
    let mut rest = Cursor { line, at: after.unwrap_or(0) };
    match rest.word()? {
        b"1" if after.is_some() => after_rfc5424(line, rest.at),
        month if MONTHS.contains(&month) => {
            let day = rest.word()?;
            (day.len() <= 2 && day.iter().all(u8::is_ascii_digit)).then_some(())?;
            is_clock(rest.word()?).then_some(())?;
            after_tag(rest)
        }
        // The default of rsyslog.
        time if is_iso(time) => after_tag(rest),
        _ => None,
    }
}

/// `<190>`
fn after_priority(line: &[u8]) -> Option<usize> {
    let end = line.iter().take(5).position(|byte| *byte == b'>')?;
    let inside = line[..end].strip_prefix(b"<")?;
    (!inside.is_empty() && inside.iter().all(u8::is_ascii_digit)).then_some(end + 1)
}

/// A host, which nginx can be configured to omit, and `nginx: ` or `nginx[12]: `.
fn after_tag(mut rest: Cursor<'_>) -> Option<usize> {
    for _ in 0..2 {
        if rest.word()?.ends_with(b":") {
            return Some(rest.at);
        }
    }
    None
}

/// `TIME HOST APP PROCESS MESSAGE [id name="value"] `, with `-` for missing structured data.
fn after_rfc5424(line: &[u8], start: usize) -> Option<usize> {
    let mut rest = Cursor { line, at: start };
    let time = rest.word()?;
    (time == b"-" || is_iso(time)).then_some(())?;
    for _ in 0..4 {
        rest.word()?;
    }
    let at = after_structured_data(line, rest.at)?;
    let at = at + usize::from(line.get(at) == Some(&b' '));
    Some(if line[at..].starts_with(b"\xef\xbb\xbf") { at + 3 } else { at })
}

/// Structured data; a quoted value may contain brackets and escaped quotes.
fn after_structured_data(line: &[u8], start: usize) -> Option<usize> {
    if line.get(start) == Some(&b'-') {
        return Some(start + 1);
    }
    let mut at = start;
    let mut quoted = false;
    (line.get(at) == Some(&b'[')).then_some(())?;
    loop {
        match line.get(at)? {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted && line.get(at + 1) != Some(&b'[') => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Takes the next word and the blanks after it, of which there must be one.
    fn word(&mut self) -> Option<&'a [u8]> {
        let rest = &self.line[self.at..];
        let near = &rest[..rest.len().min(MAX_WORD_LEN + 1)];
        let end = near.iter().position(|byte| *byte == b' ')?;
        let gap = rest[end..].iter().take(MAX_WORD_LEN);
        let blanks = gap.take_while(|byte| **byte == b' ').count();
        self.at += end + blanks;
        (end > 0).then(|| &rest[..end])
    }
}

/// `2025-01-02T…`
fn is_iso(word: &[u8]) -> bool {
    word.len() >= 19 && like(word, b"0000-00-00T00:00:00")
}

/// `07:08:09`, optionally with a fraction.
fn is_clock(word: &[u8]) -> bool {
    word.len() >= 8 && like(word, b"00:00:00")
}

/// Whether a text begins like an example, in which `0` means any digit.
fn like(text: &[u8], example: &[u8]) -> bool {
    text.iter().zip(example).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_begins_after_the_prefix_of_a_collector() {
        // The formats of https://kubernetes.io/docs/concepts/cluster-administration/logging/,
        // docker compose logs, https://nginx.org/en/docs/syslog.html, and both RFCs.
        for prefix in [
            "2025-01-02T03:04:05.123456789Z stdout F ",
            "2025-01-02T03:04:05.123456789+02:00 stderr P ",
            "name-1  | ",
            "web | ",
            "<190>May  6 07:08:09 host nginx: ",
            "<190>May 16 07:08:09 nginx: ",
            "May  6 07:08:09 host nginx: ",
            "Feb  6 12:14:14 localhost haproxy[14389]: ",
            "2025-01-02T03:04:05.123456+00:00 host nginx[12]: ",
            "<165>1 2003-10-11T22:14:15.003Z host app 12 ID47 - ",
            "<165>1 2003-10-11T22:14:15.003Z host app - - [a@1 b=\"]\\\" \"][c d=\"e\"] \u{feff}",
            "\u{feff}web-1 | ",
        ] {
            let line = format!("{prefix}1.2.3.4 - - [t]");
            assert_eq!(prefix_end(line.as_bytes()), Some(prefix.len()), "{line}");
        }
    }

    #[test]
    fn other_lines_have_no_prefix() {
        for line in [
            "",
            "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5",
            "2025-01-02T03:04:05.123Z stdout",
            "2025-01-02T03:04:05.123Z stdout F ",
            "May 6",
            "May 16 7:08:09 host nginx: x",
            "May 16 07:08:09 host of nginx: x",
            "<190>",
            "<1234>May  6 07:08:09 host nginx: x",
            "<165>1 2003-10-11T22:14:15.003Z host app - - [a b=\"] x",
            "a b | c",
            "| c",
            " | c",
        ] {
            assert_eq!(prefix_end(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn no_bytes_cause_a_panic() {
        let pieces: [&[u8]; 12] = [
            b"<190>",
            b"1 ",
            b"May ",
            b" 6 ",
            b"07:08:09 ",
            b"2025-01-02T03:04:05 ",
            b"stdout ",
            b"F ",
            b"[a \"",
            b"\\",
            b"| ",
            b"\xef\xbb\xbf",
        ];
        for number in 0..12_usize.pow(4) {
            let line: Vec<u8> = (0..4)
                .flat_map(|digit| pieces[number / 12_usize.pow(digit) % 12].iter().copied())
                .collect();
            assert!(prefix_end(&line).is_none_or(|end| end < line.len()));
        }
    }
}
