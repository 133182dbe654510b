//! The hand-over of a daemon to a successor, without a request that is refused.
//!
//! On SIGUSR2 the old process starts the program that is on the disk now, with the same arguments.
//! A small process between the two, the starter, reports how the successor ends, and is killed once
//! that serves. The successor's standard input is one end of a stream, on which the listening sockets
//! already wait. Then:
//!
//! ```text
//! successor: opens everything, accepts nothing              ready      -> old process
//! old process: finishes its round of recovery, leads no more    lead   -> successor
//! successor: accepts, and leads                             leading    -> old process
//! old process: accepts no more, runs its executions to their end, exits
//! ```
//!
//! Both accept for a moment, and never do both lead: until `leading` the old process takes the end
//! of the successor for a failure and goes on. The successor takes the end of the old process for
//! `lead`, and recovers as after a crash. Afterwards the stream stays open: over it the successor
//! asks the old process to `stop`, when it is stopped itself.

pub(super) mod lead;
pub(super) mod link;
pub(super) mod old_process;
pub(super) mod older;
pub(super) mod starter;
pub(super) mod successor;
