//! What the fuzz targets share: how bytes become a play of a child and a server, how a passage is played to, and how a
//! message stream is read.

pub mod book;
pub mod frames;
pub mod play;
pub mod script;
pub mod streams;
