//! Which system calls a command and the worker can make: seccomp filters (Linux 3.17), which no exec and no descendant
//! gets rid of. Programs for another instruction set end with SIGSYS: their calls have other numbers.

mod command;
mod worker;

use std::collections::BTreeMap;
use std::io;

use nix::libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, sock_filter,
};

use super::Error;
use super::allowances::{Allowance, Allowances};

/// Calls by number, each with the arguments that it takes to match: any of the rules, or none for the call itself.
type Calls = BTreeMap<c_long, Vec<SeccompRule>>;

/// Refuses the calling, single-threaded process what no command of a session needs. Sets NO_NEW_PRIVS.
///
/// # Errors
/// If the kernel has no seccomp filters.
pub fn confine_command(allowances: &Allowances) -> Result<(), Error> {
    if allowances.has(Allowance::AllSyscalls) || allowances.has(Allowance::NewPrivs) {
        return Ok(());
    }
    foreign_numbers().and_then(|()| command::refuse(allowances)).map_err(Error::system("filter system calls"))
}

/// Allows the calling, single-threaded process what the worker needs, and nothing else. Sets NO_NEW_PRIVS.
///
/// # Errors
/// If the kernel has no seccomp filters.
pub fn confine_worker() -> Result<(), Error> {
    worker::allow().map_err(Error::system("filter system calls"))
}

/// Ends a process that uses numbers of x32, which is another set of calls on the same instruction set: each call could
/// be made by a number that no rule names.
fn foreign_numbers() -> io::Result<()> {
    /// `__X32_SYSCALL_BIT` (asm/unistd.h). No other architecture has numbers as high.
    const X32: u32 = 0x4000_0000;
    // Load the number; unless it is below X32, end the process. Instructions as linux/bpf_common.h has them.
    let instruction = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    let (load, jump_if_at_least, answer) = (0x20, 0x35, 0x06);
    install(&vec![
        instruction(load, 0, 0),
        instruction(jump_if_at_least, 1, X32),
        instruction(answer, 0, SeccompAction::Allow.into()),
        instruction(answer, 0, SeccompAction::KillProcess.into()),
    ])
}

/// Installs a filter that answers the calls with `matched`, and all others with `otherwise`.
fn filter(calls: Calls, matched: SeccompAction, otherwise: SeccompAction) -> io::Result<()> {
    let architecture = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(calls, otherwise, matched, architecture).map_err(io::Error::other)?;
    install(&BpfProgram::try_from(filter).map_err(io::Error::other)?)
}

fn install(program: &BpfProgram) -> io::Result<()> {
    apply_filter(program).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
        error => io::Error::other(error),
    })
}

/// A rule: every condition on an argument, given by its place, must hold. The kernel looks at 32 bits of these.
fn rule(conditions: &[(u8, SeccompCmpOp, u32)]) -> io::Result<SeccompRule> {
    let condition = |(argument, operator, value): &(u8, SeccompCmpOp, u32)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), u64::from(*value))
    };
    let conditions: Result<Vec<_>, _> = conditions.iter().map(condition).collect();
    conditions.and_then(SeccompRule::new).map_err(io::Error::other)
}
