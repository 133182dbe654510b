//! PostgreSQL: where it is, its schema, how transactions begin and end there.

pub(crate) mod address;
mod batch;
pub(crate) mod driver;
mod error;
mod inspect;
mod open;
mod pruner;
pub(crate) mod source;

#[cfg(test)]
mod tests;
