//! Who opened a connection or sent a datagram: what the programs on the session's control group note at connect(2) and
//! sendmsg(2), and what they must
//! know of this kernel's structures to note the executable.
//!
//! As in [`maps`](crate::maps): `#[repr(C)]`, no implicit padding, sizes asserted.

use crate::maps::Address;

/// Map `OWNERS`: the [`Owner`] of each connection, by [`FlowKey`](crate::maps::FlowKey).
pub const OWNERS: &str = "OWNERS";
/// Global `LAYOUT`: the [`Layout`] of the running kernel, fixed at load time.
pub const LAYOUT: &str = "LAYOUT";

/// Bytes of an executable's path that are kept; a longer one loses its beginning.
pub const PATH_BYTES: usize = 256;
/// Directories and mounts that are followed from the executable upwards; a deeper path loses its beginning.
pub const PATH_DEPTH: u32 = 24;
/// The longest name in a directory with its end (linux/limits.h: `NAME_MAX`).
pub const NAME_BYTES: usize = 256;

/// [`Owner::rooted`]: the path goes up to the root of the mount namespace.
pub const ROOTED: u8 = 1;

/// Map `SENDERS`: the [`Sender`] of what is not TCP, by [`SenderKey`].
pub const SENDERS: &str = "SENDERS";
/// How many destinations of datagrams are remembered with their sender; the least recently used are forgotten.
pub const MAX_SENDERS: u32 = 1_024;

/// A thread, as it was when it called into the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Identifier of its control group (version 2): the inode of the group's directory.
    pub cgroup: u64,
    /// The thread, in the initial PID namespace; zero if nobody is known.
    pub pid: u32,
    /// The thread group: what user space calls the process.
    pub tgid: u32,
    /// The real user, in the initial user namespace.
    pub uid: u32,
    /// Always zero.
    pub pad: u32,
    /// The thread's name, ended by a zero byte.
    pub comm: [u8; 16],
}

impl Sender {
    /// Nobody.
    pub const UNKNOWN: Self = Self { cgroup: 0, pid: 0, tgid: 0, uid: 0, pad: 0, comm: [0; 16] };

    /// The thread's name, as far as it is UTF-8.
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        self.comm.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

/// Where a datagram goes. The sender's own port is not known before it has been sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SenderKey {
    /// The destination.
    pub dst: Address,
    /// Its port.
    pub dst_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Always zero.
    pub pad: u8,
}

/// The process that called connect(2), as it was then.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The thread.
    pub sender: Sender,
    /// When the connection left, in the time of the flows.
    pub connected_ns: u64,
    /// Bytes of `path` that are used; zero if the executable is not known.
    pub path_len: u16,
    /// [`ROOTED`], or zero.
    pub rooted: u8,
    /// One once a flow has been opened under its key: the next flow there is another's.
    pub claimed: u8,
    /// Always zero.
    pub pad: u32,
    /// The names on the way from the executable up to the root, each ended by a zero byte.
    pub path: [u8; PATH_BYTES],
}

impl Owner {
    /// The names on the way up, the executable's first. One that the path was cut in is left out.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        let used = self.path.get(..usize::from(self.path_len)).unwrap_or(&self.path);
        let mut names = used.split(|byte| *byte == 0);
        // What follows the last zero byte: nothing, or such a name.
        names.next_back();
        names
    }
}

/// An [`Owner`] while it is being written, at the socket. The verifier bounds where a name begins and how long it is,
/// not their sum: hence room for a whole name after the last place where one may begin.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Draft {
    /// What will be the owner.
    pub owner: Owner,
    /// What a name reaches beyond [`Owner::path`].
    pub spill: [u8; NAME_BYTES],
    /// Address of the thread's `task_struct`.
    pub task: u64,
}

/// Where fields lie in the structures of the running kernel, in bytes. All zero if that is not known: the programs then
/// note no executable.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// `task_struct.mm`; zero only if nothing is known.
    pub task_mm: u32,
    /// `mm_struct.exe_file`.
    pub mm_exe_file: u32,
    /// `file.f_path.mnt`.
    pub file_mnt: u32,
    /// `file.f_path.dentry`.
    pub file_dentry: u32,
    /// `dentry.d_parent`.
    pub dentry_parent: u32,
    /// `dentry.d_name.name`.
    pub dentry_name: u32,
    /// `mount.mnt`: the part that paths point to.
    pub mount_mnt: u32,
    /// `mount.mnt.mnt_root`.
    pub mount_root: u32,
    /// `mount.mnt_parent`.
    pub mount_parent: u32,
    /// `mount.mnt_mountpoint`.
    pub mount_mountpoint: u32,
}

impl Layout {
    /// What the programs have where nobody tells them more.
    pub const UNKNOWN: Self = Self {
        task_mm: 0,
        mm_exe_file: 0,
        file_mnt: 0,
        file_dentry: 0,
        dentry_parent: 0,
        dentry_name: 0,
        mount_mnt: 0,
        mount_root: 0,
        mount_parent: 0,
        mount_mountpoint: 0,
    };
}

const _: () = assert!(size_of::<Sender>() == 40);
const _: () = assert!(size_of::<SenderKey>() == 20);
const _: () = assert!(core::mem::offset_of!(Owner, sender) == 0);
const _: () = assert!(size_of::<Owner>() == 56 + PATH_BYTES);
const _: () = assert!(size_of::<Draft>() == size_of::<Owner>() + NAME_BYTES + 8);
const _: () = assert!(size_of::<Layout>() == 40);
