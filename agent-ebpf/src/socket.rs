//! A socket that connects, as the programs on the session's control group see it: what is noted at it, and which
//! connection it opens.

use core::ptr::{NonNull, null_mut};

use agent_common::maps::{FlowKey, IPV4, IPV6, TCP, mapped_word};
use agent_common::owner::{Draft, Sender, SenderKey};
use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::BPF_SOCK_OPS_TCP_CONNECT_CB;
use aya_ebpf::btf_maps::SkStorage;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
    bpf_sk_storage_delete, bpf_sk_storage_get,
};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::{SockAddrContext, SockOpsContext};

use crate::maps::config;

const AF_INET: u32 = 2;

// In the socket itself: it needs no limit, goes with the socket, and belongs to whoever holds the socket's lock, which
// connect(2) does. A per-CPU buffer would be shared with whoever preempts the program.
#[btf_map]
static CONNECTING: SkStorage<Draft> = SkStorage::new();

/// The IANA protocol number of the socket.
#[inline(always)]
pub(crate) fn protocol(ctx: &SockAddrContext) -> u32 {
    // SAFETY: the kernel passes a valid `bpf_sock_addr` for the length of the program's run.
    #[expect(unsafe_code, reason = "aya has no accessor for `protocol`")]
    unsafe {
        (*ctx.sock_addr).protocol
    }
}

/// What is noted at a socket. It belongs to the program as long as the program runs.
pub(crate) struct Note(NonNull<Draft>);

impl Note {
    #[inline(always)]
    pub(crate) fn draft(&mut self) -> &mut Draft {
        // SAFETY: the storage lives as long as the socket, and the socket's lock, which connect(2) takes, is held for
        // the length of the program's run; new storage is zero.
        #[expect(unsafe_code, reason = "map values are reached through pointers")]
        unsafe {
            self.0.as_mut()
        }
    }
}

/// Room at the socket for a note, with what an earlier connect(2) left there; `None` if there is no memory.
#[inline(always)]
pub(crate) fn room(ctx: &SockAddrContext) -> Option<Note> {
    // SAFETY: the kernel passes a valid `bpf_sock_addr` for the length of the program's run, and a socket in it.
    #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
    let storage = unsafe { CONNECTING.get_or_insert_ptr_mut(ctx, None) };
    NonNull::new(storage).map(Note)
}

/// Whether the program runs because connect(2) is about to send its SYN, and not for another of its many reasons.
#[inline(always)]
pub(crate) fn is_connecting(ctx: &SockOpsContext) -> bool {
    ctx.op() == BPF_SOCK_OPS_TCP_CONNECT_CB
}

/// What was noted at the socket.
#[inline(always)]
pub(crate) fn noted(ctx: &SockOpsContext) -> Option<Note> {
    let storage = (&raw const CONNECTING).cast_mut().cast();
    // SAFETY: the kernel passes a valid `bpf_sock_ops`; the verifier wants its socket compared with null.
    #[expect(unsafe_code, reason = "aya offers a socket's storage to other programs only")]
    unsafe {
        let socket = (*ctx.ops).__bindgen_anon_2.sk;
        if socket.is_null() {
            return None;
        }
        NonNull::new(bpf_sk_storage_get(storage, socket.cast(), null_mut(), 0).cast()).map(Note)
    }
}

/// Takes the note from the socket, which may live long.
#[inline(always)]
pub(crate) fn forget(ctx: &SockOpsContext) {
    let storage = (&raw const CONNECTING).cast_mut().cast();
    // SAFETY: as in `noted`.
    #[expect(unsafe_code, reason = "aya offers a socket's storage to other programs only")]
    unsafe {
        let socket = (*ctx.ops).__bindgen_anon_2.sk;
        if !socket.is_null() {
            bpf_sk_storage_delete(storage, socket.cast());
        }
    }
}

/// The key of the connection, as `client_in` will make it from the SYN. An IPv6 socket that dials an IPv4-mapped
/// address (RFC 4291 section 2.5.5.2) sends IPv4.
#[inline(always)]
pub(crate) fn dialled(ctx: &SockOpsContext) -> FlowKey {
    let ops = ctx.as_ptr().cast::<aya_ebpf::bindings::bpf_sock_ops>();
    // SAFETY: the kernel passes a valid `bpf_sock_ops` for the length of the program's run. Volatile for the reason
    // that `steer` gives.
    #[expect(unsafe_code, reason = "aya's accessors let the compiler join accesses, which the verifier refuses")]
    let (family, child_port, dst_port, child4, dst4, child6, dst6) = unsafe {
        (
            (&raw const (*ops).family).read_volatile(),
            (&raw const (*ops).local_port).read_volatile() as u16,
            // In network byte order, and of four bytes the last two (linux/bpf.h).
            u32::from_be((&raw const (*ops).remote_port).read_volatile()) as u16,
            (&raw const (*ops).local_ip4).read_volatile(),
            (&raw const (*ops).remote_ip4).read_volatile(),
            [0, 1, 2, 3].map(|word| (&raw const (*ops).local_ip6[word]).read_volatile()),
            [0, 1, 2, 3].map(|word| (&raw const (*ops).remote_ip6[word]).read_volatile()),
        )
    };
    let mapped = dst6[0] | dst6[1] | (dst6[2] ^ mapped_word(0)[2]) == 0;
    let v4 = family == AF_INET || mapped;
    let (child, dst) = if v4 { (mapped_word(child4), mapped_word(dst4)) } else { (child6, dst6) };
    let family = if v4 { IPV4 } else { IPV6 };
    FlowKey { child, dst, child_port, dst_port, ifindex: config().ifindex, protocol: TCP, family, pad: [0; 2] }
}

/// Which program runs: a socket's own family is another thing where IPv6 sockets send IPv4.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Where the socket is about to connect to, or its datagram to go, as `client_in` will see it.
#[inline(always)]
pub(crate) fn addressee(ctx: &SockAddrContext, family: Family) -> SenderKey {
    let addr = ctx.sock_addr;
    // SAFETY: the kernel passes a valid `bpf_sock_addr` for the length of the program's run. Volatile for the reason
    // that `steer` gives.
    #[expect(unsafe_code, reason = "aya has no accessors for addresses")]
    let (dst, port) = unsafe {
        let dst = match family {
            Family::V4 => mapped_word((&raw const (*addr).user_ip4).read_volatile()),
            Family::V6 => [0, 1, 2, 3].map(|word| (&raw const (*addr).user_ip6[word]).read_volatile()),
        };
        (dst, (&raw const (*addr).user_port).read_volatile())
    };
    // In network byte order, in the first two of four bytes (linux/bpf.h).
    SenderKey { dst, dst_port: u16::from_be(port as u16), protocol: protocol(ctx) as u8, pad: 0 }
}

/// The calling thread.
pub(crate) struct Caller {
    pid_tgid: u64,
    uid_gid: u64,
    cgroup: u64,
}

impl Caller {
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helpers take no argument.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        unsafe {
            Self {
                pid_tgid: bpf_get_current_pid_tgid(),
                uid_gid: bpf_get_current_uid_gid(),
                cgroup: bpf_get_current_cgroup_id(),
            }
        }
    }

    /// Writes what is known without looking into the kernel's structures.
    #[inline(always)]
    pub(crate) fn write(self, sender: &mut Sender) {
        sender.pid = self.pid_tgid as u32;
        sender.tgid = (self.pid_tgid >> 32) as u32;
        sender.uid = self.uid_gid as u32;
        sender.cgroup = self.cgroup;
        // SAFETY: the helper writes as many bytes as it is told.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        let failed = unsafe { bpf_get_current_comm((&raw mut sender.comm).cast(), sender.comm.len() as u32) };
        if failed != 0 {
            sender.comm = [0; 16];
        }
    }
}
