//! What wfx does for whoever asks, the command line and the API alike. Each operation is decided
//! here once; the edges say what was decided in their own words.

pub(crate) mod cancel;
pub(crate) mod catalogue;
pub(crate) mod diagnosis;
pub(crate) mod folder_defaults;
pub(crate) mod pin;
pub(crate) mod purge;
pub(crate) mod query;
pub(crate) mod recover;
pub(crate) mod rehearsal;
pub(crate) mod replay;
pub(crate) mod scheduler;
pub(crate) mod schedules;
pub(crate) mod start;
pub(crate) mod status;
