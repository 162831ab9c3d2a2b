//! The agent's side of the BPF programs: loading, attaching, and typed access to the maps. The only folder that names
//! aya.

mod btf;
pub mod dataplane;
pub mod events;
pub mod flows;
pub mod layout;
#[cfg(debug_assertions)]
pub mod log;
mod owners;
pub mod pins;
pub mod probe;
pub mod snapshot;
pub mod untold;
mod verify;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The time that the programs stamp packets with: `CLOCK_MONOTONIC_COARSE`.
///
/// # Errors
/// If the kernel does not tell it.
pub fn now() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)?.into())
}

/// Why the kernel half could not be loaded, attached or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The programs could not be loaded.
    #[error("cannot load the BPF programs; `agent doctor` says what this kernel lacks")]
    Load(#[source] aya::EbpfError),
    /// A program could not be verified or attached.
    #[error("cannot attach the BPF program `{name}`; `agent doctor` says what this kernel lacks")]
    Program {
        /// Its name.
        name: String,
        /// Why not.
        source: aya::programs::ProgramError,
    },
    /// A filter could not be attached the way kernels before 6.6 want it.
    #[error("cannot add a clsact qdisc to `{link}`")]
    Qdisc {
        /// The device.
        link: &'static str,
        /// Why not.
        source: aya::programs::tc::TcError,
    },
    /// A map could not be opened, read or written.
    #[error("cannot use the BPF map `{name}`")]
    Map {
        /// Its name.
        name: &'static str,
        /// Why not.
        source: aya::maps::MapError,
    },
    /// The thread that loads the programs could not be set up, or ended before its time.
    #[error("cannot set up the thread that loads the BPF programs")]
    Thread(#[source] io::Error),
    /// The session's control group could not be opened.
    #[error("cannot open the control group `{}`", path.display())]
    Cgroup {
        /// Its directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A descriptor of a map could not be duplicated.
    #[error("cannot duplicate the descriptor of a BPF map")]
    Descriptor(#[source] io::Error),
    /// The object has no such program or map.
    #[error("the BPF object has no `{0}`")]
    Absent(&'static str),
    /// The BPF file system could not be used.
    #[error("cannot {op} `{}`", path.display())]
    Bpffs {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    fn panicked() -> Self {
        Self::Thread(io::Error::other("it panicked"))
    }
}
