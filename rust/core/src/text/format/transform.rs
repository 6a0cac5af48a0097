//! Transformations of the text of a field: `url:noquery`, `path:2`.

/// A transformation of the text of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    /// Removes scheme, host, query and fragment.
    Path,
    /// Keeps what follows the first `?`.
    Query,
    /// Removes the first `?` and what follows it.
    NoQuery,
    /// Keeps this many segments of the path.
    Depth(usize),
    /// Decodes `%HH`.
    Percent,
    /// Decodes `\xHH` and similar escapes.
    Unescape,
    /// Keeps the first of three digits.
    Class,
}

impl Transform {
    /// The transformation that is written so after a field's name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "path" => Self::Path,
            "query" => Self::Query,
            "noquery" => Self::NoQuery,
            "decode" => Self::Percent,
            "unescape" => Self::Unescape,
            _ if name.len() <= 2 => Self::Depth(name.parse().ok().filter(|&depth| depth > 0)?),
            _ => return None,
        })
    }

    /// The range of the text that is left, for transformations that only cut.
    pub(super) fn range(self, text: &[u8]) -> Option<(usize, usize)> {
        let find = |from: usize, bytes: &[u8]| {
            let found = text[from..].iter().position(|byte| bytes.contains(byte));
            found.map(|offset| from + offset)
        };
        match self {
            Self::Query => find(0, b"?").map(|at| (at + 1, text.len())),
            Self::NoQuery => Some((0, find(0, b"?").unwrap_or(text.len()))),
            Self::Path => {
                let start = path_start(text);
                Some((start, find(start, b"?#").unwrap_or(text.len())))
            }
            Self::Depth(depth) => {
                let start = path_start(text);
                let end = find(start, b"?#").unwrap_or(text.len());
                let mut slashes =
                    (start..end).filter(|&at| at > start && text[at] == b'/').skip(depth - 1);
                Some((start, slashes.next().unwrap_or(end)))
            }
            Self::Percent | Self::Unescape | Self::Class => Some((0, text.len())),
        }
    }
}

/// The start of the path of a URL, after scheme and host if it has them.
fn path_start(url: &[u8]) -> usize {
    if url.first() == Some(&b'/') {
        return 0;
    }
    let scheme = url.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if scheme == 0 || !url[scheme..].starts_with(b"://") {
        return 0;
    }
    let host = scheme + 3;
    url[host..].iter().position(|byte| b"/?#".contains(byte)).map_or(url.len(), |at| host + at)
}
