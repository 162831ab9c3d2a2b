//! The attempts, a file each.

mod host_sockets;
mod packet_forged_source;
mod raw_connect;
mod setns_host;
mod tcp_other_ports;
mod udp_any_port;
mod vsock;

use super::Vector;

/// All of them, in the order of docs/bypass.md.
pub const ALL: &[Vector] = &[
    raw_connect::VECTOR,
    udp_any_port::VECTOR,
    tcp_other_ports::VECTOR,
    packet_forged_source::VECTOR,
    vsock::VECTOR,
    setns_host::VECTOR,
    host_sockets::VECTOR,
];
