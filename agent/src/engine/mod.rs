//! What the agent knows and decides, without doing: no sockets, no files, no clock, no kernel. Time and bytes come in
//! as arguments, verdicts and events go out as values.

pub mod decode;
#[cfg(test)]
pub(crate) mod dice;
pub mod edit;
pub mod event;
pub mod hex;
pub mod http;
pub mod pinning;
pub mod policy;
pub mod process;
pub mod record;
pub mod script;
pub mod stats;
pub mod wire;
