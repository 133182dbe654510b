//! Parse, run, return an exit code.

fn main() {}
