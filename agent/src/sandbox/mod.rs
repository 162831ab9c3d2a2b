//! Kernel state of one session: namespaces, the veth between them, sockets, mounts, cgroup, files, and their removal.
//!
//! It knows nothing of BPF or of bytes on the wire.

pub mod allowances;
pub mod capture_directory;
pub mod cgroup;
pub mod changeable;
pub mod domain;
pub mod failpoint;
pub mod fds;
pub mod guise;
pub mod host_sockets;
pub mod journal;
pub mod kernel_files;
pub mod launch;
pub mod link;
pub mod name;
pub mod netns;
pub mod packets;
pub mod privileges;
pub mod resolver;
pub mod session;
pub mod sockets;
pub mod standing;
pub mod syscalls;
pub mod sysctl;
pub mod tmpfs;
pub mod trust;
pub mod user_namespace;

use std::io;
use std::path::{Path, PathBuf};

use self::standing::Standing;

/// Why a piece of kernel state could not be made, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("cannot {op} `{}`", path.display())]
    File {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call that names no file failed.
    #[error("cannot {op}")]
    System {
        /// What was tried.
        op: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The kernel refused a change of links, addresses, routes or neighbours.
    #[error("cannot {op}")]
    Netlink {
        /// What was tried.
        op: &'static str,
        /// Why it failed.
        source: rtnetlink::Error,
    },
    /// The namespace exists and no session of ours made it.
    #[error("network namespace `{name}` exists and was not made by agent; choose another name")]
    ForeignNamespace {
        /// Its name.
        name: String,
    },
    /// Another agent holds the session.
    #[error("session `{name}` is held by process {pid}; end it with `agent down {name}`")]
    Held {
        /// The session's name.
        name: String,
        /// Who holds it.
        pid: i32,
    },
    /// There is no such session.
    #[error("there is no session `{name}`; `agent ls` lists the running ones")]
    NoSession {
        /// The name asked for.
        name: String,
    },
    /// A process may do more than it should, or is another than it should be.
    #[error("a process did not give up its privileges: it is {is:?} and has to be {expected:?}")]
    Standing {
        /// What the kernel says of it.
        is: Box<Standing>,
        /// What it should say.
        expected: Box<Standing>,
    },
    /// Something the sandbox needs is not there.
    #[error("{what}; {remedy}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl Error {
    /// Wraps the failure of a file operation.
    pub(crate) fn file(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { op, path, source }
    }

    /// Wraps the failure of a file operation that nix reports.
    pub(crate) fn file_errno(op: &'static str, path: &Path) -> impl FnOnce(nix::Error) -> Self {
        let path = path.to_owned();
        move |errno| Self::File { op, path, source: errno.into() }
    }

    /// Wraps the failure of a system call.
    pub(crate) fn system(op: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { op, source }
    }

    /// Wraps the failure of a system call that nix reports.
    pub(crate) fn errno(op: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::System { op, source: errno.into() }
    }

    /// Wraps the failure of a netlink request.
    pub(crate) fn netlink(op: &'static str) -> impl FnOnce(rtnetlink::Error) -> Self {
        move |source| Self::Netlink { op, source }
    }
}
