//! Devices that reach other machines or the kernel's memory. They are opened, and not used.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt as _;

use nix::errno::Errno;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "devices",
    what: "/dev/{vhost-vsock,ppp,mem,port,kmem}, opened for writing",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call {
        by: "mode, capabilities, mounts",
        errors: &["EACCES", "EPERM", "ENOENT", "ENXIO", "ENODEV"],
    },
};

const DEVICES: &[&str] = &["/dev/vhost-vsock", "/dev/ppp", "/dev/mem", "/dev/port", "/dev/kmem"];

fn attempt(_target: &Target) -> Vec<Step> {
    DEVICES.iter().map(|path| Step::of(*path, open(path))).collect()
}

/// What is mounted over a device is none.
fn open(path: &str) -> io::Result<File> {
    let file = File::options().read(true).write(true).open(path)?;
    if file.metadata()?.file_type().is_char_device() { Ok(file) } else { Err(Errno::ENODEV.into()) }
}
