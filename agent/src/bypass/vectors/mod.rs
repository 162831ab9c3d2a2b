//! The attempts, a file each.

mod add_address;
mod add_route;
mod af_xdp;
mod bluetooth;
mod daemon_outlives;
mod dns_other_resolver;
mod dns_tunnel_labels;
mod dns_tunnel_names;
mod dns_tunnel_types;
mod doh;
mod doq;
mod dot;
mod eth0_down;
mod host_sockets;
mod ip_freebind;
mod ip_transparent;
mod ipv6_global;
mod ipv6_link_local;
mod ipv6_mapped;
mod kernel_transports;
mod macvlan;
mod move_device;
mod mptcp;
mod nftables;
mod other_families;
mod packet_extension_headers;
mod packet_forged_source;
mod packet_fragments;
mod packet_handmade_syn;
mod packet_ip_options;
mod packet_jumbo;
mod packet_malformed;
mod packet_other_ethertypes;
mod packet_ttl;
mod packet_vlan;
mod ping;
mod qdisc;
mod quic;
mod race_start;
mod race_supervisor_dies;
mod race_teardown;
mod race_worker_dies;
mod raw_connect;
mod raw_icmp;
mod raw_other;
mod raw_tunnels;
mod sctp_dccp_udplite;
mod setns_host;
mod so_bindtodevice;
mod so_mark;
mod tcp_fast_open;
mod tcp_other_ports;
mod tunnel_device;
mod udp_any_port;
mod vsock;

use super::Vector;

/// All of them, in the order of docs/bypass.md. What takes the session's own network down comes last.
pub const ALL: &[Vector] = &[
    raw_connect::VECTOR,
    udp_any_port::VECTOR,
    quic::VECTOR,
    ipv6_global::VECTOR,
    ipv6_link_local::VECTOR,
    ipv6_mapped::VECTOR,
    dns_other_resolver::VECTOR,
    dot::VECTOR,
    doh::VECTOR,
    doq::VECTOR,
    dns_tunnel_labels::VECTOR,
    dns_tunnel_types::VECTOR,
    dns_tunnel_names::VECTOR,
    tcp_other_ports::VECTOR,
    ping::VECTOR,
    raw_icmp::VECTOR,
    sctp_dccp_udplite::VECTOR,
    raw_tunnels::VECTOR,
    raw_other::VECTOR,
    kernel_transports::VECTOR,
    packet_forged_source::VECTOR,
    packet_vlan::VECTOR,
    packet_other_ethertypes::VECTOR,
    packet_fragments::VECTOR,
    packet_ip_options::VECTOR,
    packet_extension_headers::VECTOR,
    packet_malformed::VECTOR,
    packet_ttl::VECTOR,
    packet_handmade_syn::VECTOR,
    packet_jumbo::VECTOR,
    af_xdp::VECTOR,
    vsock::VECTOR,
    bluetooth::VECTOR,
    other_families::VECTOR,
    so_mark::VECTOR,
    so_bindtodevice::VECTOR,
    ip_transparent::VECTOR,
    ip_freebind::VECTOR,
    tcp_fast_open::VECTOR,
    mptcp::VECTOR,
    add_address::VECTOR,
    add_route::VECTOR,
    macvlan::VECTOR,
    tunnel_device::VECTOR,
    move_device::VECTOR,
    qdisc::VECTOR,
    nftables::VECTOR,
    setns_host::VECTOR,
    host_sockets::VECTOR,
    race_start::VECTOR,
    race_worker_dies::VECTOR,
    race_supervisor_dies::VECTOR,
    race_teardown::VECTOR,
    daemon_outlives::VECTOR,
    eth0_down::VECTOR,
];
