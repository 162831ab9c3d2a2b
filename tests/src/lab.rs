//! A hermetic topology: a host, an internet, and a wire between them.
//!
//! ```text
//! host                       inet
//! wire0 203.0.113.2 ──────── wire1 203.0.113.1     every address of 198.51.100.0/24, 192.0.2.0/24 and
//!       2001:db8::2                2001:db8::1     2001:db8:1::/48 is local to inet
//! ```

use std::time::Duration;

use crate::agent::Agent;
use crate::certificates::Authority;
use crate::netns::Netns;
use crate::nginx;
use crate::process::Process;
use crate::scratch::{self, Scratch};
use crate::tools;

/// The distribution's Python.
pub const PYTHON: &str = "/usr/bin/python3";
/// The host's own address.
pub const HOST4: &str = "203.0.113.2";
/// The host's own address.
pub const HOST6: &str = "2001:db8::2";
/// Where nginx is reached; it is reached at every other address as well.
pub const ORIGIN4: &str = "198.51.100.10";
/// Where nginx is reached.
pub const ORIGIN6: &str = "2001:db8:1::10";
/// Where the DNS server is reached.
pub const DNS4: &str = "198.51.100.53";
/// Where the DNS server is reached.
pub const DNS6: &str = "2001:db8:1::53";

/// Where the DNS server writes what it was asked.
const QUERIES: &str = "dns-queries";

/// How long a command under the agent may take, unless a test says otherwise.
pub const COMMAND: Duration = Duration::from_secs(60);

/// A host and an internet of a test's own. Dropping it ends the servers and removes the namespaces.
pub struct Lab {
    // In this order they end: what runs in a namespace before the namespace.
    servers: Vec<Process>,
    /// Where the agent runs.
    pub host: Netns,
    /// Where the origins are.
    pub inet: Netns,
    /// Who signs the origins' certificates.
    pub authority: Authority,
    /// Files of this lab.
    pub scratch: Scratch,
}

impl Lab {
    /// Two namespaces, nothing in them.
    ///
    /// # Panics
    /// If this is not root or tools are missing.
    #[must_use]
    pub fn bare() -> Self {
        tools::require();
        scratch::remove_dead();
        let scratch = Scratch::new();
        let authority = Authority::new(&scratch, "ca", "lab root");
        let name = scratch::unique();
        let (host, inet) = (Netns::new(format!("{name}-host")), Netns::new(format!("{name}-inet")));
        wire(&host, &inet);
        Self { servers: Vec::new(), host, inet, authority, scratch }
    }

    /// With nginx for `origin.test` and `other.test`, and a DNS server that knows them.
    #[must_use]
    pub fn new() -> Self {
        let mut lab = Self::bare();
        lab.serve_dns();
        let nginx = nginx::start(&lab.inet, &lab.scratch, &lab.authority, &["origin.test", "other.test"]);
        lab.servers.push(nginx);
        lab
    }

    /// Starts the DNS server of `programs/dns.py`.
    pub fn serve_dns(&mut self) {
        let zone = self.scratch.write("zone.json", include_str!("../programs/zone.json"));
        let seen = self.scratch.file(QUERIES);
        self.python("dns.py", &[&zone, DNS4, DNS6, &seen]);
    }

    /// What the DNS server was asked so far, a line for each query: bytes of the message, name as it was spelled, and
    /// the type's number.
    ///
    /// # Panics
    /// If it was not started.
    #[must_use]
    pub fn dns_queries(&self) -> Vec<String> {
        let seen = std::fs::read_to_string(self.scratch.file(QUERIES)).unwrap();
        seen.lines().map(str::to_owned).collect()
    }

    /// Starts a server of `programs/` in inet and waits until it is ready.
    pub fn python(&mut self, program: &str, args: &[&str]) {
        self.serve(&[&[PYTHON, &tools::program(program)], args].concat());
    }

    /// Starts a server in inet and waits until it is ready.
    pub fn serve(&mut self, argv: &[&str]) {
        let mut command = self.inet.command(argv[0]);
        self.servers.push(Process::spawn_ready(command.args(&argv[1..])));
    }

    /// Starts `programs/origin.js` for `stream.test` on port 443 of every address; not beside nginx.
    pub fn node_origin(&mut self) {
        let (cert, key) = self.authority.issue(&self.scratch, "stream.test", "DNS:stream.test");
        self.serve(&["node", &tools::program("origin.js"), &cert, &key]);
    }

    /// Starts the servers of `programs/tls_servers.py`.
    pub fn tls_servers(&mut self, servers: &[serde_json::Value]) {
        self.python("tls_servers.py", &[&serde_json::Value::from(servers).to_string()]);
    }

    /// The agent on this lab's host, told of the lab's resolver and authority.
    #[must_use]
    pub fn agent(&self) -> Agent<'_> {
        Agent::new(self).args(&["--dns", DNS4, "--upstream-ca", &self.authority.cert])
    }

    /// Runs a command on the host, without the agent. The host asks the lab's resolver.
    #[must_use]
    pub fn direct(&self, limit: Duration, argv: &[&str]) -> crate::process::Output {
        let resolv_conf = self.scratch.write("resolv.conf", format!("nameserver {DNS4}\n"));
        let mut command = self.host.command("unshare");
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script, &resolv_conf]).args(argv);
        command.env("CURL_CA_BUNDLE", &self.authority.cert);
        Process::spawn(&mut command).finish_within(limit)
    }

    /// Where nginx has the files of a name.
    #[must_use]
    pub fn www(&self, name: &str) -> String {
        nginx::root(&self.scratch, name)
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

/// Neighbours are permanent, so that the host's tables do not change by themselves.
fn wire(host: &Netns, inet: &Netns) {
    let peer = format!(
        "link add wire0 address 02:00:00:00:00:02 type veth peer name wire1 address 02:00:00:00:00:01 netns {}",
        inet.name()
    );
    for netns in [host, inet] {
        netns.sysctl("net/ipv6/conf/default/accept_dad", "0");
        netns.sysctl("net/ipv6/conf/default/accept_ra", "0");
    }
    host.ip(&[&peer]);
    inet.ip(&[
        "addr add 203.0.113.1/24 dev wire1",
        "addr add 2001:db8::1/64 dev wire1 nodad",
        "link set wire1 up",
        "neigh add 203.0.113.2 lladdr 02:00:00:00:00:02 dev wire1 nud permanent",
        "neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev wire1 nud permanent",
        "route add local 198.51.100.0/24 dev lo",
        "route add local 192.0.2.0/24 dev lo",
        "route add local 2001:db8:1::/48 dev lo",
        // Binding to an address takes more than a route in IPv6.
        "addr add 2001:db8:1::53/128 dev lo nodad",
    ]);
    host.ip(&[
        "addr add 203.0.113.2/24 dev wire0",
        "addr add 2001:db8::2/64 dev wire0 nodad",
        "link set wire0 up",
        "neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev wire0 nud permanent",
        "neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev wire0 nud permanent",
        "route add default via 203.0.113.1",
        "route add unreachable 192.0.2.200/32",
        "route add default via 2001:db8::1",
    ]);
}
