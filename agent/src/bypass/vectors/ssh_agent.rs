//! Services of the host that the environment names: ssh-agent, GPG, the session bus, the display.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "ssh-agent",
    what: "the sockets that SSH_AUTH_SOCK, DBUS_SESSION_BUS_ADDRESS, WAYLAND_DISPLAY, DISPLAY and others name",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "mounts", errors: &["ENOENT", "ECONNREFUSED", "EACCES"] },
};

/// With what to leave out before the path.
const VARIABLES: &[(&str, &str)] = &[
    ("SSH_AUTH_SOCK", ""),
    ("GPG_AGENT_INFO", ""),
    ("DBUS_SESSION_BUS_ADDRESS", "unix:path="),
    ("WAYLAND_DISPLAY", ""),
    ("PULSE_SERVER", "unix:"),
    ("TMUX", ""),
];

fn attempt(_target: &Target) -> Vec<Step> {
    let environment = fs::read("/proc/self/environ").unwrap_or_default();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let value = |name: &str| environment.split('\0').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let mut steps: Vec<Step> = VARIABLES.iter().map(|(name, scheme)| step(name, scheme, value(name))).collect();
    steps.extend(displays(value("DISPLAY")));
    steps
}

fn step(name: &str, scheme: &str, value: Option<&str>) -> Step {
    let Some(value) = value else { return Step::absent(name, "not set") };
    // What follows the path is separated so, by whichever of them it is.
    let path = value.strip_prefix(scheme).unwrap_or(value).split([',', ';', ':']).next().unwrap_or_default();
    Step::of(format!("{name}={value}"), UnixStream::connect(path))
}

fn displays(value: Option<&str>) -> Vec<Step> {
    let number = value.and_then(|display| display.strip_prefix(':')?.split('.').next());
    let Some(number) = number else { return vec![Step::absent("DISPLAY", "not set")] };
    let path = format!("/tmp/.X11-unix/X{number}");
    let hidden = SocketAddr::from_abstract_name(&path).and_then(|address| UnixStream::connect_addr(&address));
    vec![Step::of(path.clone(), UnixStream::connect(&path)), Step::of(format!("@{path}"), hidden)]
}
