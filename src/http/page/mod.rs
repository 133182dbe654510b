//! The web page: HTML and SVG, complete without JavaScript.
//!
//! [`site`] answers what the front hands over, with the API or a page. Each kind of page is one file:
//! it reads, and writes what it read as HTML. What a page changes, it has the resources of the API
//! do, so both do the same. All addresses are relative: the page works below any path of a proxy.

mod actions;
mod assets;
mod execution;
mod executions;
mod failure;
mod forms;
mod frame;
mod headers;
mod home;
mod levels;
mod login;
mod memo;
mod notifications;
mod rate;
pub(crate) mod route;
mod schedules;
pub(crate) mod sessions;
pub(crate) mod site;
pub(crate) mod view;
mod words;
mod workflow;
mod workflows;
