//! The API: how requests name its resources, and what these answer.
//!
//! - [`route`], [`query`], [`json_body`]: what is asked for
//! - [`resources`]: what is answered

pub mod json_body;
pub mod query;
pub mod resources;
pub mod route;
