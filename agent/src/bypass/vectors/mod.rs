//! The attempts, a file each.

mod abstract_sockets;
mod agents_files;
mod cgroup_escape;
mod connect_tunnel;
mod devices;
mod dns_rebinding;
mod ech;
mod embedded_v4;
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
mod kernel_files;
mod keyrings;
mod kill_outsider;
mod lan;
mod metadata_address;
mod metadata_by_name;
mod no_sni;
mod not_http;
mod observe_host_sockets;
mod odd_names;
mod other_upgrade;
mod packet_forged_source;
mod passed_descriptors;
mod perf_and_bpf;
mod pidfd_getfd;
mod proc_mem;
mod proc_ns;
mod ptrace_outsider;
mod raw_connect;
mod request_smuggling;
mod setns_host;
mod setns_pidfd;
mod setuid_program;
mod sni_host_mismatch;
mod sni_other_address;
mod ssh_agent;
mod tcp_other_ports;
mod terminal_input;
mod tun_device;
mod udp_any_port;
mod unshare_net;
mod user_namespaces;
mod vsock;
mod websocket_tunnel;
mod x32;

use super::Vector;

/// All of them, in the order of docs/bypass.md.
pub const ALL: &[Vector] = &[
    raw_connect::VECTOR,
    udp_any_port::VECTOR,
    tcp_other_ports::VECTOR,
    packet_forged_source::VECTOR,
    vsock::VECTOR,
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
    h2_authority_mismatch::VECTOR,
    sni_other_address::VECTOR,
    no_sni::VECTOR,
    ech::VECTOR,
    odd_names::VECTOR,
    connect_tunnel::VECTOR,
    websocket_tunnel::VECTOR,
    h2c_upgrade::VECTOR,
    other_upgrade::VECTOR,
    not_http::VECTOR,
    request_smuggling::VECTOR,
];
