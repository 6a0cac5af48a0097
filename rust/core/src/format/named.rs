//! The formats that have a name.

/// A format that has a name, and all there is to say about it.
#[derive(Debug)]
pub struct Named {
    /// What it is asked for by.
    pub name: &'static str,
    /// What writes it, in one line.
    pub about: &'static str,
    /// A line of it.
    pub example: &'static str,
    /// What it is made of.
    pub(crate) made: Made,
    /// Whether it is told by its lines. The order of the list is the order in which formats are
    /// preferred that accept as many lines: the more specific first.
    pub detected: bool,
    /// Where it is documented.
    pub source: &'static str,
}

/// What a named format is made of.
#[derive(Debug)]
pub(crate) enum Made {
    Classic,
    Common,
    Combined,
    /// Fields in braces.
    Template(&'static str),
    /// A body of `log_format`.
    Nginx(&'static str),
    /// A body of `LogFormat`.
    Apache(&'static str),
    /// A JSON object a line: names of fields and the paths where they are; a path may have
    /// alternatives behind bars. Those with a `!` have to be there.
    Json(&'static [(&'static str, &'static str)]),
    /// Any JSON object, by the usual names of its fields.
    AnyJson,
    Ltsv,
    /// Columns named by a `#Fields:` line.
    W3c,
    CloudFront,
    /// Columns named by the first line, with this between them.
    Delimited(u8),
}

/// The formats of text; those of records are listed where they are made.
pub(crate) const NAMED: &[Named] = &[
    Named {
        name: "common",
        about: "what Apache writes unless told otherwise, and many servers after it",
        example: r#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 512"#,
        made: Made::Common,
        detected: true,
        source: "https://httpd.apache.org/docs/2.4/logs.html#common",
    },
    Named {
        name: "combined",
        about: "common with referer and agent: what nginx writes, and most set-ups of Apache",
        example: r#"1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "http://example.com/" "Mozilla/5.0 (X11)""#,
        made: Made::Combined,
        detected: true,
        source: "https://httpd.apache.org/docs/2.4/logs.html#combined",
    },
    Named {
        name: "classic",
        about: "what the classic Python program's regular expression accepts, as raw text",
        example: r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5""#,
        made: Made::Classic,
        detected: false,
        source: "https://spark.apache.org/docs/2.4.8/streaming-flume-integration.html",
    },
];
