//! What a session has recorded: rows of a capture as types, the formats that they are taken elsewhere in, and what packets
//! and keys are written down as. Bytes and values come in as arguments and go out; whoever has a file writes them.

pub mod audit;
pub mod curl;
pub mod har;
pub mod jsonl;
pub mod keylog;
pub mod packets;
pub mod pcapng;
mod phases;
pub mod remark;
mod rows;
#[cfg(test)]
pub(crate) mod samples;
pub mod time;

pub use self::phases::{Phase, phases};
pub use self::rows::{Connection, Content, Decoded, Exchange, Half, Message, Outline, Tls};
