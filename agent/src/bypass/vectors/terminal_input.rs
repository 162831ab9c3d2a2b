//! Typing into the terminal: what is typed is read by the shell that the user goes back to. The terminal is one made
//! here.

use std::fs::File;
use std::io;

use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::{dup2_stdin, setsid};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "terminal-input",
    what: "TIOCSTI and TIOCLINUX on the controlling terminal",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EPERM"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    match sit_at_terminal() {
        // Whoever closes it hangs up on this process.
        Ok(master) => std::mem::forget(master),
        Err(error) => return vec![Step::absent("a terminal", error.to_string())],
    }
    vec![
        Step::of("TIOCSTI", raw::type_into_terminal(b'#')),
        Step::of("TIOCSTI with more bits than the kernel reads", raw::type_into_terminal_widely(b'#')),
        Step::of("TIOCLINUX", raw::call(libc::SYS_ioctl, [0, libc::TIOCLINUX as u32, 0, 0])),
    ]
}

/// Makes a terminal the controlling one of a new session of processes, and standard input.
fn sit_at_terminal() -> io::Result<PtyMaster> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    setsid()?;
    // The first terminal that the leader of such a session opens becomes its controlling one.
    let terminal = File::options().read(true).write(true).open(ptsname_r(&master)?)?;
    dup2_stdin(&terminal)?;
    Ok(master)
}
