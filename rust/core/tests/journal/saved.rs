//! Saved states as bytes.

use tailrace_core::{AggregateSpec, Content, Engine, RecordError, Snapshot, encode_content};

/// Compares equal even for NaN.
pub(crate) fn shown(snapshot: &Snapshot) -> String {
    format!("{snapshot:?}")
}

/// A saved state as bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saved {
    pub(crate) state: Vec<u8>,
    pub(crate) closed: Vec<(i64, Vec<u8>)>,
    pub(crate) open: Vec<(i64, Vec<u8>)>,
    pub(crate) totals: Option<Vec<u8>>,
}

impl Saved {
    pub(crate) fn of(engine: &Engine) -> Self {
        let saved = engine.save().unwrap();
        let encoded = |panes: Vec<_>| -> Vec<(i64, Vec<u8>)> {
            panes.iter().map(|(number, delta)| (*number, encode_content(delta))).collect()
        };
        let closed = encoded(engine.closed_panes(None).unwrap());
        assert!(closed.iter().map(|(number, _)| *number).eq(saved.closed));
        let totals = saved.totals.as_ref().map(encode_content);
        Self { state: saved.state, closed, open: encoded(saved.open), totals }
    }

    pub(crate) fn restore(&self, engine: &Engine) -> Result<(), RecordError> {
        let needed = engine.restore(&self.state)?;
        assert!(needed.iter().eq(self.closed.iter().map(|(number, _)| number)));
        self.enter(engine)
    }

    /// As `restore`, for bytes that may be damaged.
    pub(crate) fn restored(&self, engine: &Engine) -> Result<(), RecordError> {
        engine.restore(&self.state)?;
        self.enter(engine)
    }

    fn enter(&self, engine: &Engine) -> Result<(), RecordError> {
        for (number, bytes) in &self.closed {
            engine.enter_content(Content::Closed(*number), engine.decode_content(bytes)?)?;
        }
        for (number, bytes) in &self.open {
            engine.enter_content(Content::Open(*number), engine.decode_content(bytes)?)?;
        }
        if let Some(bytes) = &self.totals {
            engine.enter_content(Content::Totals, engine.decode_content(bytes)?)?;
        }
        engine.finish_restore()
    }
}

pub(crate) fn spec(place: usize, function: &str, fields: Vec<&str>) -> AggregateSpec {
    let is_bounded = matches!(function, "quantile" | "approx_count_distinct");
    AggregateSpec {
        name: format!("{function}{place}"),
        function: function.to_owned(),
        fields: fields.into_iter().map(str::to_owned).collect(),
        number: if function == "top_values" { 3.0 } else { 0.5 },
        error: if is_bounded { 0.05 } else { 0.0 },
    }
}
