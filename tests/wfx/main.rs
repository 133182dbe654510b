//! Tests through the real binary: real files, real processes, a real database.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

mod architecture;
mod client;
mod conditions;
mod crash;
mod daemon;
mod database;
mod doctor;
mod documents;
mod exec;
mod faults;
mod fixtures;
mod generated;
mod groups;
mod handlers;
mod history;
mod interleavings;
mod language;
mod limits;
mod logs;
mod messages;
mod named;
mod notifications;
mod output;
mod ownership;
mod page;
mod perf_check;
mod postgres;
mod predecessor;
mod processes;
mod readme;
mod receiver;
mod recovery;
mod replay;
mod retention;
mod schedules;
mod serve;
mod signals;
mod slo_sim;
mod status;
mod store;
mod terminal;
mod test_command;
mod upgrade;
mod values;

/// Where sources that are [tried here](interleavings) look for it.
mod base {
    pub(crate) mod timestamp {
        pub(crate) use wfx::parts::base::Timestamp;
    }
}
mod workflow {
    pub(crate) mod output {
        pub(crate) use wfx::parts::workflow::{Counts, OutputSource as Source};
    }
    pub(crate) mod concurrency {
        pub(crate) use wfx::parts::workflow::WaitingFor;
    }
    pub(crate) mod record {
        pub(crate) use wfx::parts::workflow::Change;
    }
}
