//! Has the kernel judge the programs, before any is attached.

use aya::Ebpf;
use aya::programs::{Program, ProgramError};

use super::Error;
use super::dataplane::failed;

/// Loads every program. The two halves take about as long and go side by side.
///
/// # Errors
/// If the kernel refuses one.
pub(super) fn verify(ebpf: &mut Ebpf) -> Result<(), Error> {
    let is_of_cgroup = |program: &Program| matches!(program, Program::CgroupSockAddr(_) | Program::SockOps(_));
    let (of_cgroup, of_gateway): (Vec<_>, Vec<_>) = ebpf.programs_mut().partition(|(_, program)| is_of_cgroup(program));
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| load(of_cgroup));
        load(of_gateway).and(beside.join().unwrap_or_else(|_panic| Err(Error::panicked())))
    })
}

fn load(programs: Vec<(&str, &mut Program)>) -> Result<(), Error> {
    for (name, program) in programs {
        load_one(program).map_err(failed(name))?;
    }
    Ok(())
}

fn load_one(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::SchedClassifier(classifier) => classifier.load(),
        Program::SkLookup(steer) => steer.load(),
        Program::CgroupSockAddr(connect) => connect.load(),
        Program::SockOps(connected) => connected.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}
