//! What the commands of a session may do beyond what every command may. Each is an opening, and says what it opens.

use serde::{Deserialize, Serialize};

/// One opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// Setuid programs and file capabilities have effect.
    NewPrivs,
    /// No system call is refused.
    AllSyscalls,
    /// User namespaces can be made.
    UserNamespaces,
    /// Processes can be traced.
    Ptrace,
    /// Sockets and processes of the host can be reached.
    Host,
    /// The rules follow their file although the commands can change it.
    OwnRules,
    /// `CAP_NET_ADMIN` and `CAP_NET_RAW` over the session's network namespace.
    NetAdmin,
}

impl Allowance {
    /// Every allowance.
    pub const ALL: [Self; 7] = [
        Self::NewPrivs,
        Self::AllSyscalls,
        Self::UserNamespaces,
        Self::Ptrace,
        Self::Host,
        Self::OwnRules,
        Self::NetAdmin,
    ];

    /// The option that gives it.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::NewPrivs => "--allow-new-privs",
            Self::AllSyscalls => "--allow-all-syscalls",
            Self::UserNamespaces => "--allow-user-namespaces",
            Self::Ptrace => "--allow-ptrace",
            Self::Host => "--allow-host",
            Self::OwnRules => "--allow-own-rules",
            Self::NetAdmin => "--allow-net-admin",
        }
    }

    /// What it opens, for a warning.
    #[must_use]
    pub const fn opens(self) -> &'static str {
        match self {
            Self::NewPrivs => {
                "setuid programs run as their owner, without capabilities: as root, they read and write root's files and \
                 may have root's services act for them; no system call is refused, since that could confuse them"
            }
            Self::AllSyscalls => {
                "vsock, Bluetooth and other sockets that no network namespace confines, io_uring, programs for other \
                 instruction sets, and typing into the terminal"
            }
            Self::UserNamespaces => {
                "root in a namespace of its own, and with it far more of the kernel's code to attack; the way out of the \
                 session stays shut"
            }
            Self::Ptrace => "the session's processes can read and change one another",
            Self::Host => {
                "services that listen on Unix sockets (container engines, the session bus, ssh-agent, the display) act \
                 for the session outside of it, and the user's other processes can be traced and changed"
            }
            Self::OwnRules => "the session's processes can write the rules that hold them, where their user can",
            Self::NetAdmin => {
                "raw and packet sockets, and changes of the session's own links, addresses and routes; what leaves is \
                 judged at the gateway as before"
            }
        }
    }
}

/// The openings of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowances(Vec<Allowance>);

impl Allowances {
    /// Whether it is among them.
    #[must_use]
    pub fn has(&self, allowance: Allowance) -> bool {
        self.0.contains(&allowance)
    }

    /// These, and others.
    #[must_use]
    pub fn and(mut self, others: &[Allowance]) -> Self {
        self.0.extend(others);
        self
    }
}

impl FromIterator<Allowance> for Allowances {
    fn from_iter<T: IntoIterator<Item = Allowance>>(allowances: T) -> Self {
        Self(allowances.into_iter().collect())
    }
}
