//! The resources of the API, and how requests name them.

pub mod body;
pub mod query;
pub mod resources;
pub mod route;
