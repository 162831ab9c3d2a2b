//! File descriptors that cross an exec or a socket. One of the few files with unsafe code: a descriptor is a number,
//! and only here does a number become a descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// How many descriptors one message carries at most; the kernel's limit is 253 (`SCM_MAX_FD`).
pub const MAX_FDS: usize = 32;

/// Sends descriptors with one byte over a stream socket.
///
/// # Errors
/// If the kernel refuses or the peer is gone.
pub fn send(socket: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let control = [ControlMessage::ScmRights(&raw)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&[0])], &control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives what [`send`] sent; the descriptors are closed on exec.
///
/// # Errors
/// If the peer is gone.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut byte = [0];
    let mut buffer = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut buffer, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut fds = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = control {
            fds.extend(raw.into_iter().map(adopt));
        }
    }
    Ok(fds)
}

fn adopt(raw: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just put this descriptor into our table, and nobody else knows of it.
    #[expect(unsafe_code, reason = "the kernel delivers numbers")]
    unsafe {
        OwnedFd::from_raw_fd(raw)
    }
}

nix::ioctl_none_bad!(
    /// ioctl_nsfs(2), Linux 4.9.
    ns_get_userns,
    nix::request_code_none!(0xb7, 1)
);

/// The user namespace that owns a namespace.
///
/// # Errors
/// If it is out of reach.
pub fn owner(namespace: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: the request takes no argument, and its result is a new descriptor.
    #[expect(unsafe_code, reason = "nix makes unsafe functions of ioctl requests")]
    let raw = unsafe { ns_get_userns(namespace.as_raw_fd()) }?;
    Ok(adopt(raw))
}

/// Marks every descriptor from `first` on to be closed on exec, so that the program that follows inherits none.
///
/// # Errors
/// If the kernel has no `close_range` with `CLOSE_RANGE_CLOEXEC` (before 5.11).
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: only sets a flag on descriptors; none is closed while this program runs.
    #[expect(unsafe_code, reason = "neither std nor nix offers close_range")]
    let result = unsafe {
        let flags = nix::libc::CLOSE_RANGE_CLOEXEC as nix::libc::c_int;
        nix::libc::close_range(first, nix::libc::c_uint::MAX, flags)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
