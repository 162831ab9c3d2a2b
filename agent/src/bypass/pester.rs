//! What a process does that tries to get out at whatever moment a session might be open.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use socket2::{Domain, Socket, Type};

use super::Target;

/// How long a connection may take to be made: most are refused at once.
const PATIENCE: Duration = Duration::from_millis(20);

/// Ignores every signal that can be ignored.
pub fn ignore_end() {
    let asked: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGPIPE].into_iter().collect();
    // If it fails, the process ends earlier than it might.
    asked.thread_block().unwrap_or_default();
}

/// Sends a datagram and opens a connection, over both families; says what came of them.
#[must_use]
pub fn once(target: &Target) -> String {
    let results = target.at(9999).into_iter().flat_map(|to| [datagram(target, to), connection(target, to)]);
    results
        .map(|result| result.map_or_else(|error| super::name(&error), |()| "sent".into()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn datagram(target: &Target, to: SocketAddr) -> std::io::Result<()> {
    let from: std::net::IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    UdpSocket::bind((from, 0))?.send_to(target.token.as_bytes(), to).map(drop)
}

fn connection(target: &Target, to: SocketAddr) -> std::io::Result<()> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    socket.send(target.token.as_bytes()).map(drop)
}
