//! Steps at which a supervisor can be made to die, so that the suites see what each leaves behind. Builds for release
//! have none.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A kind of step in the life of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A record has been written, and what it names has not been made yet.
    Record,
    /// Something has been made, started or told.
    Made,
    /// Something has been ended or removed.
    Undo,
}

/// Which passage of which step is the process's last; by default none. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Failpoint(Option<Arc<Armed>>);

#[derive(Debug)]
struct Armed {
    step: Step,
    /// Passages that are survived.
    left: AtomicU32,
}

impl Failpoint {
    /// Passes a step, or dies there as by SIGKILL from outside.
    pub fn pass(&self, step: Step) {
        let Some(armed) = self.0.as_ref().filter(|armed| cfg!(debug_assertions) && armed.step == step) else { return };
        if armed.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            // It cannot be refused: a process may signal itself.
            kill(Pid::this(), Signal::SIGKILL).unwrap_or_default();
        }
    }
}

/// From `STEP:N`: the N-th passage, from one, of `record`, `made` or `undo`.
impl FromStr for Failpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (step, passage) = text.split_once(':').ok_or(())?;
        let step = match step {
            "record" => Step::Record,
            "made" => Step::Made,
            "undo" => Step::Undo,
            _ => return Err(()),
        };
        let left: u32 = passage.parse().ok().and_then(|passage: u32| passage.checked_sub(1)).ok_or(())?;
        Ok(Self(Some(Arc::new(Armed { step, left: left.into() }))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Failpoint, Step};

    #[test]
    fn a_failpoint_is_a_step_and_a_passage_from_one() {
        for text in ["", "record", "record:", "record:0", "record:x", "other:1"] {
            assert!(text.parse::<Failpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_steps_and_earlier_passages_are_survived() {
        let failpoint: Failpoint = "made:3".parse().unwrap();
        let clone = failpoint.clone();
        for _ in 0..5 {
            failpoint.pass(Step::Record);
        }
        failpoint.pass(Step::Made);
        clone.pass(Step::Made);
    }
}
