//! The memory of processes outside. Where it would be written, nothing is mapped.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "proc-mem",
    what: "/proc/PID/mem, process_vm_readv(2) and process_vm_writev(2) of a host process, the supervisor and the worker",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "Landlock, seccomp", errors: &["EACCES", "EPERM"] },
};

const UNMAPPED: RemoteIoVec = RemoteIoVec { base: 16, len: 1 };

fn attempt(target: &Target) -> Vec<Step> {
    target.others().into_iter().flat_map(steps).collect()
}

fn steps(pid: i32) -> Vec<Step> {
    let open = |name: &str| -> io::Result<File> {
        File::options().read(true).write(name == "mem").open(format!("/proc/{pid}/{name}"))
    };
    let process = Pid::from_raw(pid);
    let read = process_vm_readv(process, &mut [IoSliceMut::new(&mut [0])], &[UNMAPPED]);
    let written = process_vm_writev(process, &[IoSlice::new(&[0])], &[UNMAPPED]);
    vec![
        Step::of(format!("/proc/{pid}/mem"), open("mem")),
        Step::of(format!("/proc/{pid}/maps"), open("maps")),
        Step::of(format!("/proc/{pid}/environ"), open("environ")),
        Step::of(format!("reading {pid}"), read.map_err(Into::into)),
        Step::of(format!("writing {pid}"), written.map_err(Into::into)),
    ]
}
