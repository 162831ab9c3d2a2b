//! Notes who connects: the thread, its user, its control group, and the path of its executable.

use agent_common::maps::TCP;
use agent_common::owner::{Draft, Layout, PATH_BYTES, PATH_DEPTH, ROOTED};
use aya_ebpf::programs::{SockAddrContext, SockOpsContext};

use crate::kernel::Pointer;
use crate::maps::{insert_owner, layout, now};
use crate::socket::{Caller, dialled, forget, is_connecting, noted, protocol, room};

/// Notes the calling process at its socket, before the socket has a port of its own.
#[inline(always)]
pub(crate) fn note(ctx: &SockAddrContext) {
    if protocol(ctx) != u32::from(TCP) {
        return;
    }
    if let Some(draft) = room(ctx) {
        draft.owner.rooted = 0;
        draft.owner.path_len = 0;
        Caller::current().write(&mut draft.owner);
        let layout = layout();
        if layout.task_mm != 0 {
            write_path(draft, layout);
        }
    }
}

/// Gives what was noted at the socket to the connection that it now opens.
#[inline(always)]
pub(crate) fn join(ctx: &SockOpsContext) {
    if !is_connecting(ctx) {
        return;
    }
    let Some(draft) = noted(ctx) else { return };
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
}

#[inline(always)]
fn write_path(draft: &mut Draft, layout: &Layout) {
    let Some(mut place) = executable(layout) else { return };
    for _ in 0..PATH_DEPTH {
        place = if place.mount.pointer(layout.mount_root) == Some(place.dentry) {
            let Some(mountpoint) = beneath(&place, layout) else {
                draft.owner.rooted = ROOTED;
                break;
            };
            mountpoint
        } else {
            let Some(directory) = above(&place, draft, layout) else { break };
            directory
        };
    }
    if usize::from(draft.owner.path_len) > PATH_BYTES {
        draft.owner.path_len = PATH_BYTES as u16;
        draft.owner.rooted = 0;
    }
}

/// The file that the calling thread executes.
#[inline(always)]
fn executable(layout: &Layout) -> Option<Place> {
    let file = Pointer::current_task().pointer(layout.task_mm)?.pointer(layout.mm_exe_file)?;
    let mount = file.pointer(layout.file_mnt)?.container(layout.mount_mnt);
    Some(Place { dentry: file.pointer(layout.file_dentry)?, mount })
}

/// Writes the name of what is here, and goes to the directory that holds it; `None` if there is no room, or no
/// directory: a file that was never given a place, such as memfd_create(2) makes.
#[inline(always)]
fn above(place: &Place, draft: &mut Draft, layout: &Layout) -> Option<Place> {
    if !place.dentry.pointer(layout.dentry_name)?.append_to(draft) {
        return None;
    }
    let parent = place.dentry.pointer(layout.dentry_parent)?;
    (parent != place.dentry).then_some(Place { dentry: parent, mount: place.mount })
}

/// The directory that the mount is mounted on; `None` at the root of the mount namespace.
#[inline(always)]
fn beneath(place: &Place, layout: &Layout) -> Option<Place> {
    let parent = place.mount.pointer(layout.mount_parent)?;
    if parent == place.mount {
        return None;
    }
    Some(Place { dentry: place.mount.pointer(layout.mount_mountpoint)?, mount: parent })
}
