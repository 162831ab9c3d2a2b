//! The harness of the privileged suites: namespaces, origins, clients and the real `agent` binary.
//!
//! A test makes a [`Lab`], which is a host and an internet of its own, and drives the binary in it as a user would.
//! Nothing here looks into the agent: what it does is seen from outside, in processes, packets and files. Everything is
//! gone when the values are dropped, also when a test panics. The harness panics instead of returning errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness panics where a test fails, and says on the test's standard error what it knows"
)]

pub mod agent;
pub mod capture;
pub mod carrier;
pub mod census;
pub mod certificates;
pub mod clients;
pub mod facts;
pub mod frames;
pub mod h2;
pub mod host_state;
pub mod lab;
pub mod leftovers;
pub mod netns;
pub mod nginx;
pub mod orphans;
pub mod play;
pub mod process;
pub mod procfs;
pub mod recorded;
pub mod scratch;
pub mod session;
pub mod tools;
pub mod tshark;
pub mod wait;

pub use agent::Agent;
pub use capture::Capture;
pub use host_state::HostState;
pub use lab::{DNS4, DNS6, HOST4, HOST6, Lab, ORIGIN4, ORIGIN6, PYTHON};
pub use leftovers::Leftovers;
pub use netns::Netns;
pub use orphans::Orphans;
pub use process::{Output, Process};
pub use recorded::Recorded;
pub use session::Session;
pub use tshark::Tshark;
pub use wait::eventually;
