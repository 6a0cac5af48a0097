//! Measures what a journal costs: the bytes of a round, copies of closed panes, and a restart with
//! nine million entries of a million keys.
//!
//! `cargo run --release --example journal`

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "not part of the core")]
#![expect(clippy::cast_precision_loss, reason = "for people")]

use std::error::Error;
use std::ops::Range;
use std::sync::mpsc::sync_channel;

use tailrace_core::{
    AggregateSpec, Changes, Chunk, Content, Engine, Format, InputArray, InputColumn, Kind, Logs,
    Origin, SECOND, Settings, State, Time, Value, encode_content,
};

const KEYS: u64 = 1_000_000;

/// A column of text, or one of times.
enum Cells {
    Texts(Vec<Vec<u8>>),
    Times(Vec<i64>),
}

impl InputArray for Cells {
    fn rows(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Times(times) => times.len(),
        }
    }

    fn value(&self, row: usize) -> Value<'_> {
        match self {
            Self::Texts(texts) => Value::Text(&texts[row]),
            Self::Times(times) => Value::Time(times[row]),
        }
    }

    fn texts(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        match self {
            Self::Texts(texts) => Some(texts[rows].iter().map(|text| &**text)),
            Self::Times(_) => None,
        }
    }
}

/// A generator that needs no crate (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

/// A key of 42 bytes.
fn key(number: u64) -> Vec<u8> {
    format!("/catalog/items/{number:012x}?sort=price&p=1").into_bytes()
}

fn aggregates(values: &str) -> Vec<AggregateSpec> {
    let spec = |function: &str| AggregateSpec {
        name: function.to_owned(),
        function: function.to_owned(),
        fields: if function == "count" { Vec::new() } else { vec!["size".to_owned()] },
        number: 0.99,
        error: if function == "quantile" { 0.01 } else { 0.0 },
    };
    values.split(',').map(spec).collect()
}

/// The nanoseconds that this thread has used, whatever else the machine does.
fn used() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

/// The nanoseconds since it had used this much.
fn since(begun: u64) -> u64 {
    used().saturating_sub(begun)
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn rounds(functions: &str) -> Result<(), Box<dyn Error>> {
    let format = Format::new("tsv:time:epoch,key:text,size:int").map_err(|error| error.message)?;
    for (lines, distinct) in [(100, 20_000), (1_000, 20_000), (10_000, 20_000), (10_000, KEYS)] {
        let settings = Settings::of_windows(&[Some(300 * SECOND)], Some(SECOND), 0, 0)?;
        let formats = vec![format.clone()];
        let logs = Logs { formats, time: Time::Log, filter: None, sources: 1, start: 0 };
        let engine =
            Engine::for_logs(vec!["key".to_owned()], aggregates(functions), settings, 1, logs)?;
        let mut random = Random(1);
        let (mut entries, mut bytes, mut encoding, mut decoding) = (0_u64, 0, 0, 0);
        let mut counting = 0;
        let rounds = (2_000_000 / lines / 10).max(20);
        for round in 0..rounds {
            let mut chunk = Vec::new();
            for _ in 0..lines {
                let text = key(random.below(distinct));
                chunk.extend_from_slice(format!("{}\t", 1_700_000_000 + round / 100).as_bytes());
                chunk.extend_from_slice(&text);
                chunk.extend_from_slice(format!("\t{}\n", random.below(10_000)).as_bytes());
            }
            let origin = Origin::new(0, format.clone(), 1_700_000_000 * SECOND);
            let begun = used();
            let delta = engine.absorb(Chunk::Lines(&chunk), &origin)?;
            counting += since(begun);
            let begun = used();
            let mut changes = Changes::new();
            changes.delta(&delta, Some(1));
            encoding += since(begun);
            let content = encode_content(&delta);
            let begun = used();
            std::hint::black_box(engine.decode_content(&content)?);
            decoding += since(begun);
            bytes += changes.as_bytes().len();
            entries += lines;
            let begun = used();
            engine.apply_heard(delta, Some(1))?;
            counting += since(begun);
        }
        let per_event = |nanos: u64| nanos as f64 / entries as f64;
        println!(
            "{functions}, {lines} lines of {distinct} keys: {:.1} bytes, encode {:.1} ns, decode \
             {:.1} ns, count {:.1} ns an event",
            bytes as f64 / entries as f64,
            per_event(encoding),
            per_event(decoding),
            per_event(counting),
        );
    }
    Ok(())
}

fn window(panes: i64, functions: &str) -> Result<Engine, Box<dyn Error>> {
    let settings = Settings::of_windows(&[Some(panes * SECOND)], Some(SECOND), 0, 0)?;
    Ok(Engine::for_events(vec!["key".to_owned()], aggregates(functions), settings, 2)?)
}

fn restart(distinct: u64, panes: i64, rows: usize) -> Result<(), Box<dyn Error>> {
    let engine = window(panes, "count")?;
    let mut random = Random(2);
    let mut closed = Vec::new();
    let mut copying = 0;
    for pane in 0..panes {
        let texts = (0..rows).map(|_| key(random.below(distinct))).collect();
        let times = vec![pane * SECOND; rows];
        let keys = InputColumn::new(vec![Cells::Texts(texts)], Some((Kind::Text, false)));
        let times = InputColumn::new(vec![Cells::Times(times)], Some((Kind::Time, false)));
        engine.add(&[keys], &[], &times)?;
        engine.advance((pane + 1) * SECOND)?;
        engine.with(State::skip)?;
        let begun = used();
        let copies = engine.closed_panes(closed.last().map(|&(number, _)| number))?;
        copying += since(begun);
        closed.extend(copies.iter().map(|(number, delta)| (*number, encode_content(delta))));
    }
    let mean = millis(copying) / panes as f64;
    println!("copy of a pane of {rows} rows of {distinct} keys: {mean:.2} ms");
    let begun = used();
    let saved = engine.save()?;
    println!("state of {} bytes: {:.2} ms", saved.state.len(), millis(since(begun)));
    let bytes: usize = closed.iter().map(|(_, content)| content.len()).sum();

    let again = window(panes, "count")?;
    let begun = used();
    let needed = again.restore(&saved.state)?;
    let (send, receive) = sync_channel(4);
    std::thread::scope(|scope| {
        let again = &again;
        let decoder = scope.spawn(move || {
            for (number, content) in &closed {
                let delta = again.decode_content(content)?;
                if send.send((*number, delta)).is_err() {
                    break;
                }
            }
            Ok::<_, tailrace_core::RecordError>(used())
        });
        for (number, delta) in receive {
            again.enter_content(Content::Closed(number), delta)?;
        }
        let nanos = decoder.join().map_err(|_| "the decoder panicked")??;
        println!("decoded in {:.0} ms", millis(nanos));
        Ok::<_, Box<dyn Error>>(())
    })?;
    for (number, delta) in saved.open {
        again.enter_content(Content::Open(number), delta)?;
    }
    again.finish_restore()?;
    println!("{} panes of {bytes} bytes entered in {:.0} ms", needed.len(), millis(since(begun)));
    let total = |engine: &Engine| {
        engine.with(|state| {
            let snapshot = state.snapshot(0);
            (snapshot.keys, snapshot.total)
        })
    };
    let (restored, before) = (total(&again)?, total(&engine)?);
    println!("{} keys, {} events; as before: {}", restored.0, restored.1, restored == before);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().len() < 2 {
        rounds("count")?;
        rounds("count,sum,quantile")?;
    }
    restart(20_000, 60, 50_000)?;
    restart(KEYS, 300, 30_000)
}
