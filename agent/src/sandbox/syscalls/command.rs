//! What no command needs, or what would reach around the session: all else is allowed.

use std::io;

use nix::libc;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};

use super::{Calls, filter, rule};
use crate::sandbox::allowances::{Allowance, Allowances};

/// The families of sockets that a session may have: those that its network namespace confines. The rest (vsock,
/// Bluetooth, AF_ALG, and whatever comes) reaches hardware, the hypervisor or kernel code that nobody asked for.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// More of them for who may administer the namespace.
const ADMIN_FAMILIES: [i32; 1] = [libc::AF_PACKET];
/// The bits of a socket's type that are not flags (linux/net.h: `SOCK_TYPE_MASK`).
const TYPE: u64 = 0xf;
/// `SOCK_PACKET`: makes a packet socket of an IPv4 one (linux/net.h).
const SOCK_PACKET: u32 = 10;

/// Each with the answer that programs know how to go on from.
pub(super) fn refuse(allowances: &Allowances) -> io::Result<()> {
    for (errno, calls) in [
        (libc::EAFNOSUPPORT, families(allowances)?),
        (libc::ENOSYS, absent(allowances)),
        (libc::EPERM, forbidden(allowances)?),
    ] {
        filter(calls, SeccompAction::Errno(errno.unsigned_abs()), SeccompAction::Allow)?;
    }
    Ok(())
}

/// Sockets of families that no network namespace confines.
fn families(allowances: &Allowances) -> io::Result<Calls> {
    let mut families = FAMILIES.to_vec();
    if allowances.has(Allowance::NetAdmin) {
        families.extend(ADMIN_FAMILIES);
    }
    let other: Vec<_> = families.into_iter().map(|family| (0, Ne, family.unsigned_abs())).collect();
    let other = rule(&other)?;
    Ok(Calls::from([(libc::SYS_socket, vec![other.clone()]), (libc::SYS_socketpair, vec![other])]))
}

/// What programs do without where a kernel does not have it.
fn absent(allowances: &Allowances) -> Calls {
    // io_uring makes sockets and connects them without any of the calls that are filtered here.
    let mut calls = vec![libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
    if !allowances.has(Allowance::UserNamespaces) {
        // Its flags are in memory, where no filter can look; who meets ENOSYS uses clone.
        calls.push(libc::SYS_clone3);
    }
    calls.into_iter().map(|call| (call, Vec::new())).collect()
}

/// What reaches other namespaces, other processes or the terminal.
fn forbidden(allowances: &Allowances) -> io::Result<Calls> {
    let mut calls: Calls = [
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_open_by_handle_at,
        // Keyrings belong to the user, not to a namespace.
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| rule(&[(1, Eq, request as u32)]));
    calls.insert(libc::SYS_ioctl, terminal.into_iter().collect::<Result<_, _>>()?);
    if !allowances.has(Allowance::NetAdmin) {
        calls.insert(libc::SYS_socket, raw_sockets()?);
    }
    if !allowances.has(Allowance::UserNamespaces) {
        let flag = libc::CLONE_NEWUSER as u32;
        let new_user = rule(&[(0, MaskedEq(u64::from(flag)), flag)])?;
        calls.insert(libc::SYS_unshare, vec![new_user.clone()]);
        calls.insert(libc::SYS_clone, vec![new_user]);
    }
    if !allowances.has(Allowance::Ptrace) {
        let tracing =
            [libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_pidfd_getfd];
        calls.extend(tracing.map(|call| (call, Vec::new())));
    }
    Ok(calls)
}

/// They take a capability that no command has, unless it is root in a namespace of its own.
fn raw_sockets() -> io::Result<Vec<seccompiler::SeccompRule>> {
    let internet = [libc::AF_INET, libc::AF_INET6].map(i32::unsigned_abs);
    let of_type = |kind: u32| internet.map(|family| rule(&[(0, Eq, family), (1, MaskedEq(TYPE), kind)]));
    of_type(libc::SOCK_RAW.unsigned_abs()).into_iter().chain(of_type(SOCK_PACKET)).collect()
}
