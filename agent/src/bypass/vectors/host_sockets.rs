//! Services of the host on Unix sockets with a path: container engines, buses, agents, displays.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "host-sockets",
    what: "Unix sockets of the host: Docker, containerd, Podman, D-Bus, systemd, X11, ssh-agent, tmux, and one made for this",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "mounts", errors: &["ENOENT", "ECONNREFUSED", "EACCES", "ENOTSOCK"] },
};

const KNOWN: &[&str] = &[
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/run/systemd/notify",
    "/run/systemd/journal/stdout",
    "/run/snapd.socket",
    "/run/libvirt/libvirt-sock",
    "/tmp/.X11-unix/X0",
];

fn attempt(target: &Target) -> Vec<Step> {
    let uid = nix::unistd::getuid();
    let own = ["bus", "docker.sock", "podman/podman.sock", "systemd/private", "wayland-0", "gnupg/S.gpg-agent.ssh"];
    let own = own.map(|name| Path::new("/run/user").join(uid.to_string()).join(name));
    let known = KNOWN.iter().map(PathBuf::from).chain(own);
    let sockets = known.chain(target.sockets.clone());
    sockets.map(|path| Step::of(path.display().to_string(), UnixStream::connect(&path))).collect()
}
