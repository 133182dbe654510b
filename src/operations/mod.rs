//! What wfx does for whoever asks, the command line and the API alike. Each operation is decided
//! here once; the edges say what was decided in their own words.

pub mod cancel;
pub mod catalogue;
pub mod diagnosis;
pub mod purge;
pub mod query;
pub mod recover;
pub mod replay;
pub mod start;
