//! Reads NDJSON and parses each line by `serde_json`, nothing more.

#![expect(clippy::print_stdout, reason = "it tells what it found")]

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::Deserialize;

#[derive(Deserialize)]
struct Request<'l> {
    t: f64,
    status: u16,
    latency: f64,
    #[serde(borrow)]
    path: Cow<'l, str>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: limit-parse FILE")?;
    let mut lines = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    let (mut count, mut sum) = (0_u64, 0.0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        let request: Request<'_> = serde_json::from_slice(&line)?;
        // What is not used would not have to be parsed.
        count += u64::from(request.status) + request.path.len() as u64;
        sum += request.t + request.latency;
        line.clear();
    }
    println!("{count} {sum}");
    Ok(())
}
