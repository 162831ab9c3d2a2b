//! What a session writes into files of its user. Only this module writes them; opened they come from the supervisor,
//! which has opened them as that user.

pub mod keylog;
pub mod packets;
mod tail;
mod tap;
