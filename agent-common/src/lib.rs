//! Shared by the eBPF programs and the `agent` binary: the layout of every map, and the decision about one packet
//! as a pure function that both the kernel and host tests run.
//!
//! It reads no packet from anywhere and writes no map; that is `agent-ebpf`'s part.

#![no_std]

pub mod decide;
pub mod maps;
pub mod owner;
pub mod packet;
#[cfg(feature = "user")]
mod pod;
pub mod refused;
