//! Reads all values of each line in a separate call, so that callgrind can measure its cost.
//! `benches/instructions.py` runs this.
//!
//! The input has two lines for each measurement: a format, and a line of it. With an argument, the
//! program prints the names and examples of all formats instead.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "not part of the core")]

use std::error::Error;
use std::hint::black_box;
use std::io::{Read, stdin};

use tailrace_core::{Format, Reader};

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().len() > 1 {
        for named in Format::named() {
            let example = named.example.lines().last().unwrap_or_default();
            println!("{}\t{example}", named.name);
        }
        return Ok(());
    }
    let mut input = Vec::new();
    stdin().read_to_end(&mut input)?;
    let mut readers: Vec<(&[u8], Reader)> = Vec::new();
    let mut lines = input.split(|&byte| byte == b'\n');
    while let (Some(spec), Some(line)) = (lines.next(), lines.next()) {
        if readers.last().is_none_or(|(last, _)| *last != spec) {
            let format = Format::new(str::from_utf8(spec)?).map_err(|error| error.message)?;
            let fields = format.fields();
            let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
            let mut reader = Reader::new(&format, &names).map_err(|error| error.name)?;
            // One-time costs are not costs of a line.
            black_box(reader.read(b"x")).ok();
            readers.push((spec, reader));
        }
        if let Some((_, reader)) = readers.last_mut() {
            measured(reader, black_box(line));
        }
    }
    Ok(())
}

#[inline(never)]
fn measured(reader: &mut Reader, line: &[u8]) {
    if black_box(reader.read(line)).is_ok() {
        let count = reader.names().len();
        for field in 0..count {
            black_box(reader.value(line, field));
        }
    }
}
