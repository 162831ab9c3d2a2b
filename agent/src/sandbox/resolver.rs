//! What the session's programs ask names of: the gateway, and nobody beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use super::link::{GATEWAY4, GATEWAY6};
use super::session::Mount;

/// Sockets of the host's resolvers, by which programs would look names up without asking the session's forwarder.
const SOCKETS: &[&str] = &["/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket"];
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Writes, below the session's directory, what is mounted: a file that names the gateway over whatever
/// `/etc/resolv.conf` really is, and an empty one over each of the host's resolver sockets, so that programs fall back to
/// the former.
///
/// # Errors
/// If there is no `/etc/resolv.conf`, or a file cannot be written.
pub fn prepare(directory: &Path) -> Result<Vec<Mount>, Error> {
    let (resolv_conf, empty) = (directory.join("resolv.conf"), directory.join("empty"));
    let target = fs::canonicalize(RESOLV_CONF).map_err(|error| Error::Missing {
        what: format!("cannot find `{RESOLV_CONF}` ({error})"),
        remedy: "create it, an empty file is enough",
    })?;
    let host = fs::read_to_string(&target).unwrap_or_default();
    fs::write(&resolv_conf, text(&host)).map_err(Error::file("write", &resolv_conf))?;
    fs::write(&empty, "").map_err(Error::file("write", &empty))?;
    let sockets = SOCKETS.iter().map(PathBuf::from).filter(|socket| socket.exists());
    let mut mounts: Vec<Mount> = sockets.map(|target| Mount { source: empty.clone(), target }).collect();
    mounts.push(Mount { source: resolv_conf, target });
    Ok(mounts)
}

/// Copies the session's resolver file to where `ip netns exec` looks for it.
///
/// # Errors
/// If it cannot be copied.
pub fn copy(directory: &Path, etc_netns: &Path) -> Result<(), Error> {
    let copy = etc_netns.join("resolv.conf");
    fs::copy(directory.join("resolv.conf"), &copy).map(drop).map_err(Error::file("write", &copy))
}

/// The host's file with the gateway in the place of its resolvers: search domains and options stay.
fn text(host: &str) -> String {
    let mut text = format!("nameserver {GATEWAY4}\nnameserver {GATEWAY6}\n");
    for line in host.lines().filter(|line| !line.trim_start().starts_with("nameserver")) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn the_gateway_takes_the_place_of_the_hosts_resolvers_and_the_rest_stays() {
        let host = "# by hand\nnameserver 192.0.2.53\nsearch corp.example\n nameserver 192.0.2.54\noptions ndots:2\n";
        let expect =
            "nameserver 10.200.1.1\nnameserver fd0a:c801::1\n# by hand\nsearch corp.example\noptions ndots:2\n";
        assert_eq!(text(host), expect);
    }
}
