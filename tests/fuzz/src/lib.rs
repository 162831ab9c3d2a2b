//! What the fuzz targets share: how bytes become a play of a child and a server, and how a passage is played to.

pub mod book;
pub mod frames;
pub mod play;
pub mod script;
