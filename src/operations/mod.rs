//! What wfx does for whoever asks, the command line and the API alike.

pub mod catalogue;
pub mod diagnosis;
