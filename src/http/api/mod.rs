//! The API: how requests name its resources, and what these answer.
//!
//! - [`route`], [`query`], [`json_body`]: what is asked for
//! - [`resources`]: what is answered

pub(crate) mod json_body;
pub(crate) mod query;
pub(crate) mod resources;
pub(crate) mod route;
