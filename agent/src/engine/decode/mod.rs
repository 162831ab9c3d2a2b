//! What captured traffic means: bodies without their content codings, streams as their messages, messages and bodies as
//! text for people, and the credentials in them masked. Nothing is kept here and nothing is sent.

pub mod chat;
pub mod coding;
pub mod mask;
pub mod present;
pub mod protobuf;
pub mod stream;
