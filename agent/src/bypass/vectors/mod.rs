//! The attempts, a file each.

mod abstract_sockets;
mod add_address;
mod add_route;
mod af_xdp;
mod agents_files;
mod bluetooth;
mod capture_directory;
mod cgroup_escape;
mod connect_tunnel;
mod control_socket;
mod daemon_outlives;
mod devices;
mod dns_other_resolver;
mod dns_rebinding;
mod dns_tunnel_labels;
mod dns_tunnel_names;
mod dns_tunnel_types;
mod doh;
mod doq;
mod dot;
mod ech;
mod embedded_v4;
mod eth0_down;
mod gateway_ports;
mod gateway_udp;
mod h2_authority_mismatch;
mod h2c_upgrade;
mod harmless_devices;
mod host_address;
mod host_address_ports;
mod host_loopback;
mod host_sockets;
mod inherited_descriptors;
mod int80;
mod io_uring;
mod ip_freebind;
mod ip_transparent;
mod ipv6_global;
mod ipv6_link_local;
mod ipv6_mapped;
mod kernel_files;
mod kernel_transports;
mod keyrings;
mod kill_outsider;
mod lan;
mod macvlan;
mod metadata_address;
mod metadata_by_name;
mod move_device;
mod mptcp;
mod netlink_protocols;
mod nftables;
mod no_sni;
mod not_http;
mod observe_host_sockets;
mod odd_names;
mod other_families;
mod other_upgrade;
mod own_rules;
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
mod passed_descriptors;
mod perf_and_bpf;
mod pidfd_getfd;
mod ping;
mod proc_mem;
mod proc_ns;
mod ptrace_outsider;
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
mod request_smuggling;
mod rule_spellings;
mod sctp_dccp_udplite;
mod setns_host;
mod setns_pidfd;
mod setuid_program;
mod sni_host_mismatch;
mod sni_other_address;
mod so_bindtodevice;
mod so_mark;
mod ssh_agent;
mod tcp_fast_open;
mod tcp_other_ports;
mod terminal_input;
mod tun_device;
mod tunnel_device;
mod udp_any_port;
mod unshare_net;
mod user_namespaces;
mod vsock;
mod websocket_tunnel;
mod x32;

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
    netlink_protocols::VECTOR,
    setns_host::VECTOR,
    setns_pidfd::VECTOR,
    unshare_net::VECTOR,
    user_namespaces::VECTOR,
    proc_ns::VECTOR,
    ptrace_outsider::VECTOR,
    proc_mem::VECTOR,
    pidfd_getfd::VECTOR,
    kill_outsider::VECTOR,
    keyrings::VECTOR,
    perf_and_bpf::VECTOR,
    io_uring::VECTOR,
    int80::VECTOR,
    x32::VECTOR,
    terminal_input::VECTOR,
    capture_directory::VECTOR,
    cgroup_escape::VECTOR,
    kernel_files::VECTOR,
    setuid_program::VECTOR,
    inherited_descriptors::VECTOR,
    agents_files::VECTOR,
    devices::VECTOR,
    harmless_devices::VECTOR,
    tun_device::VECTOR,
    host_sockets::VECTOR,
    abstract_sockets::VECTOR,
    passed_descriptors::VECTOR,
    ssh_agent::VECTOR,
    observe_host_sockets::VECTOR,
    gateway_ports::VECTOR,
    gateway_udp::VECTOR,
    host_loopback::VECTOR,
    host_address::VECTOR,
    host_address_ports::VECTOR,
    metadata_address::VECTOR,
    metadata_by_name::VECTOR,
    dns_rebinding::VECTOR,
    embedded_v4::VECTOR,
    lan::VECTOR,
    sni_host_mismatch::VECTOR,
    rule_spellings::VECTOR,
    own_rules::VECTOR,
    h2_authority_mismatch::VECTOR,
    sni_other_address::VECTOR,
    no_sni::VECTOR,
    ech::VECTOR,
    odd_names::VECTOR,
    connect_tunnel::VECTOR,
    control_socket::VECTOR,
    websocket_tunnel::VECTOR,
    h2c_upgrade::VECTOR,
    other_upgrade::VECTOR,
    not_http::VECTOR,
    request_smuggling::VECTOR,
    race_start::VECTOR,
    race_worker_dies::VECTOR,
    race_supervisor_dies::VECTOR,
    race_teardown::VECTOR,
    daemon_outlives::VECTOR,
    eth0_down::VECTOR,
];
