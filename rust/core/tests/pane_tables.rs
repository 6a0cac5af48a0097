//! Lines that were counted in parts, and merged as pane tables in any order, give the snapshots of
//! an engine that saw all of them.

#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

#[path = "../src/ground/profile.rs"]
mod profile;

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tailrace_core::{
    AGGREGATES, AcceptedValues, AggregateSpec, Cell, Column, Engine, EngineError, Filter, Format,
    InputArray, InputColumn, InputError, InputTable, Kind, Logs, MAX_TIME, NamedRows, Origin,
    Reason, SECOND, Settings, Snapshot, State, Time, Value, Values,
};

const FORMAT: &str = "tsv:at:epoch,key:text,code:int,took:float,seen:epoch,word:text";

/// An owned value.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    Null,
    Text(Vec<u8>),
    Int(i64),
    Float(f64),
    Time(i64),
}

#[derive(Clone, Debug)]
struct Cells(Vec<Held>);

impl InputArray for Cells {
    fn rows(&self) -> usize {
        self.0.len()
    }

    fn value(&self, row: usize) -> Value<'_> {
        match &self.0[row] {
            Held::Null => Value::Null,
            Held::Text(text) => Value::Text(text),
            Held::Int(number) => Value::Int(*number),
            Held::Float(number) => Value::Float(*number),
            Held::Time(time) => Value::Time(*time),
        }
    }

    fn texts(&self, _: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        None::<std::iter::Empty<_>>
    }
}

/// A pane table whose cells can be changed.
#[derive(Clone, Debug)]
struct Table {
    names: Vec<String>,
    kinds: Vec<Option<(Kind, bool)>>,
    columns: Vec<Vec<Held>>,
}

impl Table {
    fn of(rows: &NamedRows) -> Self {
        let columns = &rows.rows.columns;
        let kind = |column: &Column| match column.values {
            Values::Text { .. } => Some((Kind::Text, false)),
            Values::Bytes { .. } => Some((Kind::Text, true)),
            Values::Int(_) => Some((Kind::Int, false)),
            Values::Float(_) => Some((Kind::Float, false)),
            Values::Time(_) => Some((Kind::Time, false)),
            _ => unreachable!("{column:?}"),
        };
        let cells =
            |column: &Column| (0..rows.rows.len).map(|row| held(column.cell(row))).collect();
        Self {
            names: rows.names.clone(),
            kinds: columns.iter().map(kind).collect(),
            columns: columns.iter().map(cells).collect(),
        }
    }

    fn rows(&self) -> usize {
        self.columns[0].len()
    }

    /// Puts the rows in another order.
    fn sorted_by(mut self, order: &[Index]) -> Self {
        for (at, other) in order.iter().enumerate().take(self.rows()) {
            let other = other.index(self.rows());
            self.columns.iter_mut().for_each(|column| column.swap(at, other));
        }
        self
    }

    fn append(&mut self, other: Self) {
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            column.extend(more);
        }
    }

    /// Cuts each column into arrays at other rows.
    fn input(&self) -> InputTable<Cells> {
        let column = |(place, cells): (usize, &Vec<Held>)| {
            let arrays = cells.chunks(3 + place % 4).map(|cells| Cells(cells.to_vec())).collect();
            InputColumn::new(arrays, self.kinds[place])
        };
        InputTable {
            names: self.names.clone(),
            columns: self.columns.iter().enumerate().map(column).collect(),
            metadata: Vec::new(),
        }
    }
}

fn held(cell: Cell) -> Held {
    match cell {
        Cell::Null => Held::Null,
        Cell::Text(text) => Held::Text(text.into()),
        Cell::Int(number) => Held::Int(i64::try_from(number).unwrap()),
        Cell::Float(number) => Held::Float(number),
        Cell::Time(time) => Held::Time(time),
        Cell::Flag(_) | Cell::List(_) => unreachable!("{cell:?}"),
    }
}

fn spec(name: &str, function: &str, fields: &[&str]) -> AggregateSpec {
    let is_bounded = matches!(function, "quantile" | "approx_count_distinct");
    AggregateSpec {
        name: name.to_owned(),
        function: function.to_owned(),
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
        number: if function == "top_values" { 3.0 } else { 0.5 },
        error: if is_bounded { 0.05 } else { 0.0 },
    }
}

/// All aggregates of all fields that they accept.
fn all() -> Vec<AggregateSpec> {
    let mut specs = vec![spec("n", "count", &[]), spec("r", "rate", &[]), spec("s", "share", &[])];
    for info in AGGREGATES {
        let fields: &[&[&str]] = match (info.conditional, info.fields, info.accepts) {
            (true, ..) => &[&["code >= 3"], &["word == a and not (code == 1)"]],
            (_, 2, _) => &[&["code", "took"], &["took", "code"]],
            (.., AcceptedValues::Numbers) => &[&["code"], &["took"]],
            (.., AcceptedValues::Ordered) => &[&["code"], &["took"], &["seen"]],
            (.., AcceptedValues::All) => &[&["code"], &["took"], &["seen"], &["word"]],
        };
        for fields in fields {
            specs.push(spec(&format!("{} {fields:?}", info.name), info.name, fields));
        }
    }
    specs
}

/// What is counted.
#[derive(Clone, Debug)]
struct Job {
    by: Vec<&'static str>,
    specs: Vec<AggregateSpec>,
    filter: Option<&'static str>,
    max_keys: Option<usize>,
}

impl Job {
    fn by(&self) -> Vec<String> {
        self.by.iter().map(|&name| name.to_owned()).collect()
    }

    fn logs(&self) -> Logs {
        let filter = self.filter.map(|text| Filter::parse(text).unwrap());
        Logs {
            formats: vec![Format::new(FORMAT).unwrap()],
            time: Time::Log,
            filter,
            sources: 1,
            start: 0,
        }
    }

    fn counter(&self, seed: u64) -> Engine {
        Engine::for_panes(self.by(), self.specs.clone(), (SECOND, 0), seed, self.logs(), "at")
            .unwrap()
    }

    fn window(&self, seed: u64) -> Engine {
        let settings = Settings { max_keys: self.max_keys, ..settings(0) };
        Engine::for_events(self.by(), self.specs.clone(), settings, seed).unwrap()
    }

    /// A window that nothing closes.
    fn merger(&self, seed: u64) -> Engine {
        Engine::for_events(self.by(), self.specs.clone(), settings(i64::MAX), seed).unwrap()
    }

    /// The snapshots of an engine that sees all lines.
    fn oracle(&self, lines: &[Vec<u8>]) -> Vec<Snapshot> {
        // With the names that the other tests read, the time is the first column.
        let format = Format::new(&FORMAT.replace("at:", "time:")).unwrap();
        let logs = Logs { formats: vec![format.clone()], ..self.logs() };
        let settings = Settings { max_keys: self.max_keys, ..settings(1_000 * SECOND) };
        let engine = Engine::for_logs(self.by(), self.specs.clone(), settings, 5, logs).unwrap();
        engine.add_lines(&column(lines), &origin(format)).unwrap();
        engine.finish().unwrap();
        snapshots(&engine)
    }
}

fn settings(lateness: i64) -> Settings {
    Settings::of_windows(&[Some(4 * SECOND), Some(6 * SECOND)], Some(2 * SECOND), 0, lateness)
        .unwrap()
}

fn origin(format: Format) -> Origin {
    Origin::new(0, format, 0)
}

fn column(lines: &[Vec<u8>]) -> InputColumn<Cells> {
    let held = lines.iter().map(|line| Held::Text(line.clone())).chain([Held::Null]);
    InputColumn::new(vec![Cells(held.collect())], Some((Kind::Text, true)))
}

fn count(job: &Job, lines: &[Vec<u8>], seed: u64) -> (Table, Engine) {
    let counter = job.counter(seed);
    let origin = origin(Format::new(FORMAT).unwrap());
    for lines in lines.chunks(7) {
        counter.add_lines(&column(lines), &origin).unwrap();
    }
    (Table::of(&counter.pane_table().unwrap()), counter)
}

fn snapshots(engine: &Engine) -> Vec<Snapshot> {
    std::iter::from_fn(|| engine.with(State::next_snapshot).unwrap()).collect()
}

/// All but the counters of lines; NaN equals NaN.
fn shown(snapshot: &Snapshot) -> String {
    let Snapshot { lookback, start, end, keys, total, other, rows, totals, .. } = snapshot;
    format!("{:?}", (lookback, start, end, keys, total, other, rows, totals))
}

/// What the window answers after its input ends, up to the last end of the oracle.
fn answers(window: &Engine, most: usize) -> Vec<String> {
    window.finish().unwrap();
    snapshots(window).iter().take(most).map(shown).collect()
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let number = select(vec![
        "0.1", "0.2", "0.3", "-0.3", "1", "1e16", "-1e16", "1e-300", "1e300", "-0", "-", "x",
    ]);
    let time =
        prop_oneof![9 => (100..112_u32).prop_map(|time| time.to_string()), 1 => Just("-".into())];
    let key = select(vec!["/a", "/b", "/c", "-", "\u{e9}", ""]);
    let code =
        prop_oneof![6 => (0..5_i64).prop_map(|code| code.to_string()), 1 => Just("-".to_owned())];
    let word =
        select(vec!["a", "b", "a longer word than fits into the inline part", "\u{1f600}", "-"]);
    let seen =
        prop_oneof![4 => (0..9_u32).prop_map(|time| format!("{time}.25")), 1 => Just("-".into())];
    let parts = (time, key, code, number, seen, word);
    prop_oneof![
        19 => parts.prop_map(|(time, key, code, took, seen, word): (String, _, _, _, String, _)| {
            format!("{time}\t{key}\t{code}\t{took}\t{seen}\t{word}").into_bytes()
        }),
        1 => Just(b"no line".to_vec()),
    ]
}

fn job() -> impl Strategy<Value = Job> {
    let by = select(vec![
        vec!["key"],
        vec!["code"],
        vec!["took"],
        vec!["seen"],
        vec![],
        vec!["word", "code"],
        vec!["took", "key", "seen"],
    ]);
    let filter = select(vec![None, Some("code >= 2"), Some("at >= 1970-01-01T00:01:43")]);
    let kind = select(vec![0, 1, 2]);
    (by, filter, kind, prop::option::weighted(0.2, 1..4_usize)).prop_map(
        |(by, filter, kind, max_keys)| {
            let specs = match kind {
                0 => vec![spec("count", "count", &[])],
                // Without a count of events.
                1 => vec![spec("mean", "mean", &["took"]), spec("sum", "sum", &["took"])],
                _ => all(),
            };
            Job { by, specs, filter, max_keys }
        },
    )
}

proptest! {
    #![proptest_config(profile::cases(60))]

    #[test]
    fn merged_panes_answer_like_an_engine_that_saw_all_lines(
        job in job(),
        lines in vec((line(), 0..4_usize), 0..60),
        orders in vec(vec(any::<Index>(), 40), 5),
        pairs in vec((any::<Index>(), any::<Index>()), 4),
    ) {
        // A filter on the time names the field of each format.
        let filter = job.filter.map(|filter| filter.replace("at ", "time "));
        let oracle_job = Job { filter: filter.map(|filter| &*filter.leak()), ..job.clone() };
        let all_lines: Vec<Vec<u8>> = lines.iter().map(|(line, _)| line.clone()).collect();
        let expected: Vec<String> = oracle_job.oracle(&all_lines).iter().map(shown).collect();

        let mut tables = Vec::new();
        let mut fed = 0;
        let mut counted = 0;
        for part in 0..4 {
            let own = lines.iter().filter(|(_, of)| *of == part).map(|(line, _)| line.clone());
            let (table, counter) = count(&job, &own.collect::<Vec<_>>(), part as u64);
            let lines = counter.with(|state| *state.lines()).unwrap();
            let rejected: u64 =
                Reason::NAMES.iter().map(|&(_, reason)| lines.rejected(reason)).sum();
            prop_assert_eq!(lines.fed, lines.counted + lines.filtered + rejected);
            fed += lines.fed;
            counted += lines.counted;
            tables.push(table);
        }
        prop_assert_eq!(fed, lines.len() as u64);
        for ((one, other), order) in pairs.iter().zip(&orders) {
            if tables.len() < 2 {
                break;
            }
            let one = tables.swap_remove(one.index(tables.len()));
            let other = tables.swap_remove(other.index(tables.len()));
            let merger = job.merger(9);
            let mut both = one.clone();
            both.append(other.clone());
            // At once or one after the other.
            if order[0].index(2) == 0 {
                prop_assert_eq!(merger.add_panes(&both.sorted_by(order).input()), Ok(0));
            } else {
                prop_assert_eq!(merger.add_panes(&one.sorted_by(order).input()), Ok(0));
                prop_assert_eq!(merger.add_panes(&other.input()), Ok(0));
            }
            tables.push(Table::of(&merger.pane_table().unwrap()));
        }
        // Every column has the types of a single counter, even without a row.
        let kinds = &count(&job, &[], 1).0.kinds;
        let window = job.window(3);
        for table in &tables {
            prop_assert_eq!(&table.kinds, kinds);
            let mut sorted: Vec<String> =
                (0..table.rows()).map(|row| format!("{:?}", &table.columns[0][row])).collect();
            sorted.sort_unstable();
            prop_assert_eq!(&sorted, &(0..table.rows()).map(|row| format!("{:?}", &table.columns[0][row])).collect::<Vec<_>>());
            prop_assert_eq!(window.add_panes(&table.input()), Ok(0));
        }
        prop_assert_eq!(window.with(|state| state.lines().counted), Ok(counted));
        prop_assert_eq!(answers(&window, expected.len()), expected);
    }

    #[test]
    fn a_changed_table_is_an_error_or_consistent(
        lines in vec(line(), 1..20),
        changes in vec((any::<Index>(), any::<Index>(), change()), 1..4),
        column_change in 0..12_usize,
        places in (any::<Index>(), any::<Index>()),
    ) {
        let job = Job { by: vec!["key", "code"], specs: all(), filter: None, max_keys: None };
        let (original, _) = count(&job, &lines, 1);
        let window = job.merger(2);
        window.add_panes(&original.input()).unwrap();
        let before = window.pane_table().unwrap();
        let mut table = original.clone();
        if table.rows() == 0 {
            return Ok(());
        }
        for (row, column, change) in &changes {
            let cell = &mut table.columns[column.index(original.columns.len())];
            let at = row.index(cell.len());
            let changed = change(&cell[at]);
            cell[at] = changed;
        }
        let (one, other) = (places.0.index(table.names.len()), places.1.index(table.names.len()));
        match column_change {
            0 => table.columns.swap(one, other),
            1 => table.names.swap(one, other),
            2 => {
                table.names.remove(one);
                table.columns.remove(one);
                table.kinds.remove(one);
            }
            3 => table.kinds.swap(one, other),
            4 => table.kinds[one] = None,
            _ => {}
        }
        match window.add_panes(&table.input()) {
            Err(EngineError::Input(error)) => {
                prop_assert!(error.to_string().contains("expected"), "{}", error);
                prop_assert_eq!(window.pane_table().unwrap(), before);
                prop_assert_eq!(window.add_panes(&original.input()), Ok(0));
            }
            Err(error) => prop_assert!(false, "{}", error),
            Ok(late) => {
                prop_assert_eq!(late, 0);
                let again = Table::of(&window.pane_table().unwrap());
                prop_assert_eq!(job.merger(3).add_panes(&again.input()), Ok(0));
                window.finish().unwrap();
                snapshots(&window);
            }
        }
    }
}

/// Changes of a cell.
fn change() -> impl Strategy<Value = fn(&Held) -> Held> {
    let changes: Vec<fn(&Held) -> Held> = vec![
        |_| Held::Null,
        |_| Held::Int(0),
        |_| Held::Int(-1),
        |_| Held::Int(i64::MAX),
        |_| Held::Time(3 * MAX_TIME),
        |_| Held::Time(i64::MIN),
        |_| Held::Text(Vec::new()),
        |_| Held::Float(f64::NAN),
        |cell| match cell {
            Held::Text(text) => Held::Text(text[..text.len() / 2].to_vec()),
            Held::Int(number) => Held::Int(number + 1),
            Held::Time(time) => Held::Time(time + 1),
            other => other.clone(),
        },
        |cell| match cell {
            Held::Text(text) => Held::Text([&text[..], b"\0"].concat()),
            other => other.clone(),
        },
        |cell| match cell {
            Held::Text(text) => Held::Text(text.iter().map(|byte| byte ^ 0x55).collect()),
            other => other.clone(),
        },
        |cell| {
            let Held::Text(text) = cell else { return cell.clone() };
            let mut text = text.clone();
            if let Some(last) = text.last_mut() {
                *last ^= 0x81;
            }
            Held::Text(text)
        },
    ];
    select(changes)
}

fn counting() -> Job {
    Job { by: vec!["key"], specs: vec![spec("count", "count", &[])], filter: None, max_keys: None }
}

fn pane_rows(rows: &[(i64, &str, i64)]) -> Table {
    let column = |cell: fn(&(i64, &str, i64)) -> Held| rows.iter().map(cell).collect();
    Table {
        names: ["pane", "key", "count"].map(str::to_owned).to_vec(),
        kinds: vec![Some((Kind::Time, false)), Some((Kind::Text, false)), Some((Kind::Int, false))],
        columns: vec![
            column(|row| Held::Time(row.0 * SECOND)),
            column(|row| Held::Text(row.1.as_bytes().to_vec())),
            column(|row| Held::Int(row.2)),
        ],
    }
}

#[test]
fn rows_of_closed_panes_are_late_and_rows_of_one_table_never_make_each_other_late() {
    let window = counting().window(1);
    let table = |rows: &[(i64, &str, i64)]| pane_rows(rows).input();
    assert_eq!(window.add_panes(&table(&[(100, "/a", 1), (5, "/a", 2)])), Ok(0));
    window.advance(4 * SECOND).unwrap();
    // The pane that contains the clock is open.
    assert_eq!(window.add_panes(&table(&[(4, "/a", 3), (3, "/a", 4), (1, "/b", 5)])), Ok(9));
    let lines = window.with(|state| *state.lines()).unwrap();
    assert_eq!((lines.fed, lines.counted, lines.late), (15, 6, 9));
    assert_eq!(window.add_panes(&table(&[])), Ok(0));
}

#[test]
fn panes_are_added_to_the_pane_that_contains_them() {
    let window = counting().window(1);
    // The panes of the window have two seconds.
    let rows = [(4, "/a", 1), (5, "/a", 2), (6, "/a", 4), (5, "/b", 8), (5, "/a", 16)];
    assert_eq!(window.add_panes(&pane_rows(&rows).input()), Ok(0));
    let table = Table::of(&window.pane_table().unwrap());
    assert_eq!(table.columns, pane_rows(&[(4, "/a", 19), (4, "/b", 8), (6, "/a", 4)]).columns);
}

#[test]
fn counts_above_32_bits_are_exact_and_have_a_limit() {
    let large = i64::from(u32::MAX);
    let window = counting().merger(1);
    for count in [large, large + 1, 5 * large + 7, 1] {
        assert_eq!(window.add_panes(&pane_rows(&[(4, "/a", count)]).input()), Ok(0));
    }
    let table = Table::of(&window.pane_table().unwrap());
    assert_eq!(table.columns[2], [Held::Int(7 * large + 9)]);
    window.finish().unwrap();
    assert_eq!(snapshots(&window)[0].total, 7 * u64::from(u32::MAX) + 9);

    let window = counting().merger(1);
    let most = 1_i64 << 53;
    let error = window.add_panes(&pane_rows(&[(4, "/a", most - 5), (4, "/b", 6)]).input());
    assert!(error.unwrap_err().to_string().starts_with("count[1]: expected at most 2^53 events"));
    assert_eq!(window.add_panes(&pane_rows(&[(4, "/a", 5 * large)]).input()), Ok(0));
    let error = window.add_panes(&pane_rows(&[(4, "/a", most)]).input()).unwrap_err();
    assert!(error.to_string().starts_with("count[0]: expected at most 2^53 events"), "{error}");
}

#[test]
fn keys_that_differ_only_in_invalid_bytes_are_one() {
    let job = Job {
        by: vec!["key", "word"],
        specs: vec![spec("n", "count", &[]), spec("s", "sum", &["code"])],
        ..counting()
    };
    let lines = [
        &b"1\t/\xff\t1\t1\t1\tw"[..],
        b"1\t/\xfe\t2\t1\t1\tw",
        b"1\t/\xfe\t4\t1\t1\tv",
        b"1\t/a\t8\t1\t1\tw",
    ];
    let (table, _) = count(&job, &lines.map(<[u8]>::to_vec), 1);
    let text = |text: &str| Held::Text(text.as_bytes().to_vec());
    assert_eq!(table.columns[1], ["/a", "/\u{fffd}", "/\u{fffd}"].map(text));
    assert_eq!(table.columns[2], ["w", "v", "w"].map(text));
    assert_eq!(table.columns[3], [1, 1, 2].map(Held::Int));
    let window = job.merger(1);
    window.add_panes(&table.input()).unwrap();
    window.finish().unwrap();
    let rows = &snapshots(&window)[0].rows;
    let sums: Vec<Cell> = (0..3).map(|row| rows.columns[3].cell(row)).collect();
    assert_eq!(sums, [3, 8, 4].map(Cell::Int));
}

#[test]
fn a_partial_has_exactly_these_bytes() {
    let specs = vec![
        spec("mean", "mean", &["code"]),
        spec("rate", "rate", &[]),
        spec("sum", "sum", &["code"]),
        spec("ratio", "ratio", &["code", "took"]),
    ];
    let job = Job { specs, ..counting() };
    let (table, _) = count(&job, &[b"1\t/a\t5\t0.5\t1\tw".to_vec()], 1);
    let bytes = |place: usize| match &table.columns[2 + place][0] {
        Held::Text(bytes) => bytes.clone(),
        other => unreachable!("{other:?}"),
    };
    // The version, the checksum of `sum(code)`, whole numbers, one event; one value and its sum.
    assert_eq!(bytes(0), [3, 180, 25, 197, 60, 3, 1, 1, 1, 0, 5]);
    // The checksum of `count()`.
    assert_eq!(bytes(1), [3, 199, 23, 103, 250, 1]);
    assert_eq!(bytes(2), bytes(0)[..7]);
    // The kinds of two fields.
    assert_eq!(bytes(3)[5..8], [3, 4, 1]);
}

#[test]
fn errors_name_what_differs() {
    let job = Job { specs: vec![spec("x", "sum", &["code"])], ..counting() };
    let (table, _) = count(&job, &[b"1\t/a\t5\t0.5\t1\tw".to_vec()], 1);
    let error = |specs: &[AggregateSpec], change: &dyn Fn(&mut Table)| {
        let mut changed = table.clone();
        change(&mut changed);
        let window = Job { specs: specs.to_vec(), ..counting() }.merger(1);
        window.add_panes(&changed.input()).unwrap_err()
    };
    let cell = |table: &mut Table, change: &dyn Fn(&mut Vec<u8>)| {
        if let Held::Text(bytes) = &mut table.columns[2][0] {
            change(bytes);
        }
    };
    let sum = &job.specs;
    let shown = |error: EngineError| error.to_string();
    assert_eq!(
        shown(error(&[spec("x", "max", &["code"])], &|_| {})),
        "x[0]: expected a partial of max(code), found one of sum(code); give both the same \
         aggregates in the same order, with the same errors"
    );
    assert_eq!(
        shown(error(&[spec("x", "ratio", &["code", "key"])], &|_| {})),
        "x[0]: expected a partial of ratio(code, key), found one of sum(code); give both the same \
         aggregates in the same order, with the same errors"
    );
    assert_eq!(
        shown(error(&[spec("x", "rate", &[])], &|_| {})),
        "x[0]: expected a partial of count(), found one of another aggregate; give both the same \
         aggregates in the same order, with the same errors"
    );
    assert_eq!(
        shown(error(sum, &|table| cell(table, &|bytes| bytes[0] = 1))),
        "x[0]: expected a partial of version 3, found version 1; use one version of tailrace on \
         all machines"
    );
    for cut in 0..10 {
        assert_eq!(
            shown(error(sum, &|table| cell(table, &|bytes| bytes.truncate(cut)))),
            "x[0]: expected a partial of sum(code), found bytes that are none; pass the column as \
             it was made"
        );
    }
    assert_eq!(
        shown(error(sum, &|table| table.names[1] = "url".to_owned())),
        "columns: expected pane, key, x, found pane, url, x; select them in this order"
    );
    let wrong = error(sum, &|table| table.kinds[1] = Some((Kind::Text, true)));
    assert!(matches!(wrong, EngineError::Input(InputError::Type(_))), "{wrong}");
}

#[test]
fn the_time_is_a_field_that_is_a_time() {
    let refused = |time: &str| {
        let job = counting();
        Engine::for_panes(job.by(), job.specs.clone(), (SECOND, 0), 1, job.logs(), time)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(refused("seen"), Ok(()));
    assert_eq!(refused("nosuch"), Err("time: no field 'nosuch' in this format".to_owned()));
    assert!(
        refused("code")
            .unwrap_err()
            .starts_with("time: expected a field of type time, found 'code'")
    );
}
