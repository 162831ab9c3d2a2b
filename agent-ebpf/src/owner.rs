//! Notes who connects: the thread, its user, its control group, and the path of its executable.

use agent_common::maps::TCP;
use agent_common::owner::{Draft, Layout, PATH_BYTES, PATH_DEPTH, ROOTED, Sender};
use aya_ebpf::programs::{SockAddrContext, SockOpsContext};

use crate::kernel::Pointer;
use crate::maps::{insert_owner, insert_sender, layout, now};
use crate::socket::{Caller, Family, addressee, dialled, forget, is_connecting, noted, protocol, room};

/// The port of the session's forwarder, whatever the address.
const DNS: u16 = 53;

/// Notes the calling thread: at its socket for a connection, before the socket has a port of its own; for datagrams, by
/// where they will go.
#[inline(always)]
pub(crate) fn note(ctx: &SockAddrContext, family: Family) {
    if protocol(ctx) != u32::from(TCP) {
        return note_sender(ctx, family);
    }
    if let Some(mut note) = room(ctx) {
        let draft = note.draft();
        Caller::current().write(&mut draft.owner.sender);
        draft.task = Pointer::current_task().0;
    }
}

/// Notes the calling thread by where its datagrams go.
#[inline(always)]
pub(crate) fn note_sender(ctx: &SockAddrContext, family: Family) {
    let key = addressee(ctx, family);
    if key.dst_port == DNS {
        // Not refused, so nobody will ask.
        return;
    }
    let mut sender = Sender::UNKNOWN;
    Caller::current().write(&mut sender);
    insert_sender(&key, &sender);
}

/// Gives what was noted at the socket to the connection that it now opens.
///
/// The executable is looked up here and not in [`note`], so that the kernel has to judge it once and not for each
/// family. It is still connect(2) that runs, except where TCP Fast Open puts the SYN off to the first write(2): if
/// another thread writes, the executable stays unknown.
#[inline(always)]
pub(crate) fn join(ctx: &SockOpsContext) {
    if !is_connecting(ctx) {
        return;
    }
    let Some(mut note) = noted(ctx) else { return };
    let draft = note.draft();
    let (task, layout) = (Pointer::current_task(), layout());
    if layout.task_mm != 0 && draft.task == task.0 {
        write_path(draft, executable(task, layout), layout);
    }
    draft.owner.connected_ns = now();
    // A full map loses who it was; whether the connection is tracked is for `client_in` to say.
    let _lost: bool = insert_owner(&dialled(ctx), &draft.owner).is_err();
    forget(ctx);
}

/// Where a walk up from the executable has come.
struct Place {
    /// The `dentry`.
    dentry: Pointer,
    /// The `mount` it is seen through.
    mount: Pointer,
    /// The `dentry` that is on top of that mount.
    top: Pointer,
}

impl Place {
    #[inline(always)]
    fn new(dentry: Pointer, mount: Pointer, layout: &Layout) -> Self {
        Self { dentry, mount, top: mount.pointer(layout.mount_root) }
    }
}

/// The file that a thread executes.
#[inline(always)]
fn executable(task: Pointer, layout: &Layout) -> Place {
    let file = task.pointer(layout.task_mm).pointer(layout.mm_exe_file);
    let mount = file.pointer(layout.file_mnt).container(layout.mount_mnt);
    Place::new(file.pointer(layout.file_dentry), mount, layout)
}

#[inline(always)]
fn write_path(draft: &mut Draft, mut place: Place, layout: &Layout) {
    for _ in 0..PATH_DEPTH {
        if place.top == place.dentry {
            let below = place.mount.pointer(layout.mount_parent);
            if below == place.mount {
                draft.owner.rooted = ROOTED;
                break;
            }
            place = Place::new(place.mount.pointer(layout.mount_mountpoint), below, layout);
            continue;
        }
        if !place.dentry.pointer(layout.dentry_name).append_to(draft) {
            break;
        }
        let directory = place.dentry.pointer(layout.dentry_parent);
        if directory == place.dentry {
            // In no directory, like a file that memfd_create(2) makes.
            break;
        }
        place.dentry = directory;
    }
    if usize::from(draft.owner.path_len) > PATH_BYTES {
        draft.owner.path_len = PATH_BYTES as u16;
        draft.owner.rooted = 0;
    }
}
