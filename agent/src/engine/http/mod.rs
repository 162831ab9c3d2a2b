//! HTTP as the engine sees it, whatever the version: the head that is judged and the exchange that is followed.

pub mod exchange;
mod head;

pub use head::{RequestHead, version_name};
