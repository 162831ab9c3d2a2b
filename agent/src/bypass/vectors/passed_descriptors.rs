//! Having a process of the host pass a descriptor: a socket of the host's network, say.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "passed-descriptors",
    what: "a descriptor passed by a process of the host over a Unix socket (SCM_RIGHTS)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "mounts", errors: &["ENOENT", "ECONNREFUSED", "EACCES"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    target.sockets.iter().map(|path| Step::with(path.display().to_string(), receive(path))).collect()
}

fn receive(from: &Path) -> io::Result<String> {
    let stream = UnixStream::connect(from)?;
    stream.set_read_timeout(Some(talk::PATIENCE))?;
    let (mut data, mut space) = ([0], cmsg_space!([RawFd; 1]));
    let mut data = [IoSliceMut::new(&mut data)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut data, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let passed = message.cmsgs()?.filter(|control| matches!(control, ControlMessageOwned::ScmRights(_))).count();
    Ok(format!("connected, and was passed {passed} descriptors"))
}
