//! What the worker needs: threads, memory, sockets that it was given or opens to IP addresses, BPF maps that it was
//! given. It runs no program, makes no memory executable, and signals nobody.

use std::io;

use nix::libc;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};

use super::{Calls, filter, rule};

/// With any arguments. Files are Landlock's part: no path can be opened but below the session's directory.
const CALLS: &[libc::c_long] = &[
    // Sockets and descriptors.
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_close,
    libc::SYS_connect,
    libc::SYS_dup,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_ftruncate,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
    // The capture: SQLite's files and those of bodies.
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fchmod,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_geteuid,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_readlinkat,
    libc::SYS_unlinkat,
    // Maps: lookups, updates and the ring buffer. To load a program takes a capability.
    libc::SYS_bpf,
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads and time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_nanosleep,
    libc::SYS_prlimit64,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

/// Calls that only this architecture has; on others the C library uses those above.
#[cfg(target_arch = "x86_64")]
const OLDER: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_epoll_wait,
    libc::SYS_link,
    libc::SYS_mkdir,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[libc::c_long] = &[];

/// What is not named is answered as by a kernel that does not have it: a C library that is newer than this list then
/// uses what there was before.
pub(super) fn allow() -> io::Result<()> {
    let mut calls: Calls = CALLS.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    let families = [libc::AF_INET, libc::AF_INET6].map(|family| rule(&[(0, Eq, family.unsigned_abs())]));
    calls.insert(libc::SYS_socket, families.into_iter().collect::<Result<_, _>>()?);
    let executable = libc::PROT_EXEC.unsigned_abs();
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        calls.insert(call, vec![rule(&[(2, MaskedEq(u64::from(executable)), 0)])?]);
    }
    // A thread, not a process: the flag that processes do not share. With clone3 the flags are in memory.
    let thread = libc::CLONE_THREAD as u32;
    calls.insert(libc::SYS_clone, vec![rule(&[(0, MaskedEq(u64::from(thread)), thread)])?]);
    calls.insert(libc::SYS_prctl, vec![rule(&[(0, Eq, libc::PR_SET_NAME.unsigned_abs())])?]);
    // abort(3), and nobody else's end.
    let own = std::process::id();
    calls.insert(libc::SYS_tgkill, vec![rule(&[(0, Eq, own)])?]);
    filter(calls, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))
}
