//! The composition root: builds the parts, introduces them to one another, orders start, drain and teardown.

mod approvals;
pub mod approve;
pub mod audit;
pub mod bypass_test;
pub mod captures;
mod control;
pub mod doctor;
pub mod exec;
pub mod export;
pub mod flows;
mod handoff;
mod kernel_rules;
mod log;
mod naming;
mod packets;
pub mod policy;
pub mod policy_learn;
pub mod replay;
pub mod sandbox_up;
pub mod sessions;
pub mod stats;
pub mod supervisor;
mod trust;
pub mod worker;

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
