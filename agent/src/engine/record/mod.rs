//! What a session's packets and keys are written down as. Bytes come in and go out as arguments; whoever has a file
//! writes them.

pub mod keylog;
pub mod pcapng;
pub mod remark;
