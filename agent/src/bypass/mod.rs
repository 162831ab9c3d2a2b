//! Attempts to get round a session, made inside one: what `agent bypass-test` tries. Each attempt is a file in
//! [`vectors`], and a row of docs/bypass.md.
//!
//! Here is only what an attempt does and what is expected of it. Who runs it where, and who judges, is
//! `app::bypass_test`.

pub mod frame;
pub mod http2;
pub mod netlink;
pub mod pester;
pub mod raw;
pub mod talk;
pub mod vectors;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use agent_common::maps::Reason;
use serde::{Deserialize, Serialize};

pub use self::vectors::ALL;

/// One way to try to get round a session.
pub struct Vector {
    /// Names the file, the row and the option `--only`.
    pub id: &'static str,
    /// What is tried, in a few words.
    pub what: &'static str,
    /// As whom.
    pub levels: &'static [Level],
    /// How.
    pub how: How,
    /// What has to come of it.
    pub expect: fn(Level) -> Expect,
}

/// How an attempt is made.
pub enum How {
    /// By a process inside a session that is up.
    Inside(fn(&Target) -> Vec<Step>),
    /// At a moment of a session's life, by a process that goes on trying.
    At(Moment),
}

/// A moment at which a session might be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// From the command's first instruction on.
    Start,
    /// While the worker is killed and replaced.
    WorkerDies,
    /// While the supervisor is killed.
    SupervisorDies,
    /// While the session is taken down.
    Teardown,
    /// After the command has ended, by a process that it left.
    Outlives,
}

/// Who makes an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The invoking user, in enforce mode.
    User,
    /// User 0 without a capability, in enforce mode.
    Root,
    /// User 0 with `CAP_NET_ADMIN` and `CAP_NET_RAW` over the network namespace, in enforce mode.
    NetAdmin,
    /// The invoking user, in observe mode.
    Observe,
}

/// The three levels at which nothing may get round a session.
pub const ENFORCED: &[Level] = &[Level::User, Level::Root, Level::NetAdmin];

impl Level {
    /// The word that output uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Root => "root",
            Self::NetAdmin => "net-admin",
            Self::Observe => "observe",
        }
    }
}

/// What has to come of an attempt. Whatever is expected, nothing of it may be seen outside but through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The program at the gateway refuses it for this reason: an event and a counter say so.
    Kernel(Reason),
    /// The worker refuses it with this event.
    Worker(&'static str),
    /// The kernel refuses a call, with one of these errors (names as in errno(3)).
    Call {
        /// What makes it do so.
        by: &'static str,
        /// The errors.
        errors: &'static [&'static str],
    },
    /// It goes through the proxy and is recorded as an exchange.
    Intercepted,
    /// The session's forwarder answers it, and reports that.
    Forwarder,
    /// It can be done and reaches nothing outside.
    Harmless(&'static str),
    /// It is allowed on purpose; this closes it.
    Allowed {
        /// What to do against it.
        close: &'static str,
    },
    /// Each step comes to one of these, which are such that none comes to two: calls, events, what is harmless.
    Any(&'static [Self]),
}

impl Expect {
    /// Of frames that only who administers the namespace can send as they are, and that are refused for a reason.
    #[must_use]
    pub const fn of_packets(level: Level, reason: Reason) -> Self {
        Self::by_admin(level, Self::Kernel(reason), "seccomp", &["EAFNOSUPPORT"])
    }

    /// Of packets that take a raw socket.
    #[must_use]
    pub const fn of_raw_sockets(level: Level, reason: Reason) -> Self {
        Self::by_admin(level, Self::Kernel(reason), "seccomp", &["EPERM"])
    }

    /// Of changes of the namespace, and what is sent after them.
    #[must_use]
    pub const fn of_changes(level: Level, then: Self) -> Self {
        Self::by_admin(level, then, "capabilities", &["EPERM"])
    }

    const fn by_admin(level: Level, then: Self, by: &'static str, errors: &'static [&'static str]) -> Self {
        match level {
            Level::NetAdmin => then,
            Level::User | Level::Root | Level::Observe => Self::Call { by, errors },
        }
    }
}

/// Where an attempt is aimed, and with what. Addresses, names and token are its own: whatever of them is seen outside
/// came from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// As whom.
    pub level: Level,
    /// Text that goes into what is sent.
    pub token: String,
    /// An address outside.
    pub v4: Ipv4Addr,
    /// An address outside.
    pub v6: Ipv6Addr,
    /// A name of `v4`; those below it are names of it, too, and `a-192-0-2-1.` before it makes a name of that address.
    pub name: String,
    /// An address of the host, which has a name like `v4`.
    pub host: Ipv4Addr,
    /// The gateway.
    pub gateway: (Ipv4Addr, Ipv6Addr),
    /// The session's own addresses.
    pub child: (Ipv4Addr, Ipv6Addr),
    /// Hardware addresses of the session's device and of the gateway's.
    pub macs: ([u8; 6], [u8; 6]),
    /// The session's device.
    pub device: String,
    /// A process of the host.
    pub outsider: i32,
    /// The session's worker and supervisor.
    pub agents: (i32, i32),
    /// The session's name.
    pub session: String,
    /// Where the session is recorded.
    pub capture: Option<PathBuf>,
    /// The file of the session's rules, which is the user's who makes the attempt.
    pub rules: Option<PathBuf>,
    /// Sockets of the host with a path.
    pub sockets: Vec<PathBuf>,
    /// An abstract socket of the host.
    pub abstract_socket: String,
    /// Copies of cat(1) that run as root or with capabilities, whoever starts them.
    pub elevating: Vec<PathBuf>,
}

impl Target {
    /// The address outside, with a port, of both families.
    #[must_use]
    pub fn at(&self, port: u16) -> [SocketAddr; 2] {
        [self.v4_at(port), SocketAddr::new(IpAddr::V6(self.v6), port)]
    }

    /// The IPv4 address outside with a port.
    #[must_use]
    pub fn v4_at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.v4), port)
    }

    /// The host's address with a port.
    #[must_use]
    pub fn host_at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.host), port)
    }

    /// Processes that are not the session's: one of the host, the worker and the supervisor.
    #[must_use]
    pub const fn others(&self) -> [i32; 3] {
        [self.outsider, self.agents.0, self.agents.1]
    }
}

/// Stands for an error where all calls succeed, and to no avail.
pub const NOTHING_GAINED: &str = "nothing gained";

/// One thing that was tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What.
    pub what: String,
    /// What the process that tried it saw.
    pub tried: Tried,
}

/// What the process that tried something saw. That something could be done does not say that it reached anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// It was done; what came of it.
    Done(String),
    /// A call failed with this error (its name as in errno(3)).
    Refused(String),
    /// This machine has not what it takes: not tried.
    Absent(String),
}

impl Step {
    /// A step from the result of a call.
    pub fn of<T>(what: impl Into<String>, result: std::io::Result<T>) -> Self {
        Self::with(what, result.map(|_| String::new()))
    }

    /// A step from the result of a call that says what came of it.
    pub fn with(what: impl Into<String>, result: std::io::Result<String>) -> Self {
        let tried = match result {
            Ok(seen) => Tried::Done(seen),
            Err(error) => Tried::Refused(name(&error)),
        };
        Self { what: what.into(), tried }
    }

    /// A step that should have gained nothing, from what it gained.
    pub fn gaining(what: impl Into<String>, gained: std::io::Result<Option<String>>) -> Self {
        Self::with(what, gained.and_then(|gained| gained.ok_or_else(|| std::io::Error::other(NOTHING_GAINED))))
    }

    /// A step that cannot be taken here.
    pub fn absent(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), tried: Tried::Absent(why.into()) }
    }
}

/// The name of an error as in errno(3), or its text.
fn name(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |code| format!("{:?}", nix::Error::from_raw(code)))
}

/// Makes the attempt of this identity; `None` if there is none that a process makes.
#[must_use]
pub fn attempt(id: &str, target: &Target) -> Option<Vec<Step>> {
    let vector = ALL.iter().find(|vector| vector.id == id)?;
    match vector.how {
        How::Inside(attempt) => Some(attempt(target)),
        How::At(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::ALL;

    #[test]
    fn every_vector_has_an_identity_of_its_own_and_somebody_to_try_it() {
        let ids: HashSet<&str> = ALL.iter().map(|vector| vector.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(ALL.iter().all(|vector| !vector.levels.is_empty() && !vector.what.is_empty()));
    }
}
