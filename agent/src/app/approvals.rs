//! Requests that wait for somebody's word: the worker's side. Many that wait for the same rule and host are one question.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::handoff::{self, Question, Report};
use crate::proxy::{Approver, Asking};

/// Most questions that are open at once; who asks more is not heard.
const MAX_OPEN: usize = 256;
/// Most answers that are remembered for the session.
const MAX_SETTLED: usize = 4096;

/// What is asked about: the rule and the host.
type About = (String, String);

/// The worker's word to the supervisor.
pub(super) struct Reporter(Mutex<UnixStream>);

/// Questions that are open, and answers that hold for the session.
pub(super) struct Approvals {
    reporter: Arc<Reporter>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    open: HashMap<About, Open>,
    settled: HashMap<About, bool>,
}

struct Open {
    id: u64,
    /// How many wait.
    count: usize,
    answer: watch::Sender<Option<bool>>,
}

impl Reporter {
    pub(super) const fn new(socket: UnixStream) -> Self {
        Self(Mutex::new(socket))
    }

    /// Tells the supervisor something.
    pub(super) fn tell(&self, report: &Report) -> std::io::Result<()> {
        handoff::tell(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), report)
    }
}

impl Approvals {
    pub(super) fn new(reporter: &Arc<Reporter>) -> Self {
        Self { reporter: Arc::clone(reporter), state: Mutex::default() }
    }

    /// Takes an answer: for those who wait, and if it lasts for those who come later.
    pub(super) fn answer(&self, id: u64, yes: bool, lasts: bool) {
        let mut state = self.state();
        let about = state.open.iter().find(|(_, open)| open.id == id).map(|(about, _)| about.clone());
        let Some(about) = about else { return };
        if let Some(open) = state.open.remove(&about) {
            open.answer.send_replace(Some(yes));
        }
        if lasts && state.settled.len() < MAX_SETTLED {
            state.settled.insert(about, yes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins those who wait, or asks.
    fn wait(&self, asking: &Asking) -> Result<watch::Receiver<Option<bool>>, Option<bool>> {
        let about = (asking.rule.clone(), asking.host.clone());
        let mut state = self.state();
        if let Some(answer) = state.settled.get(&about) {
            return Err(Some(*answer));
        }
        if let Some(open) = state.open.get_mut(&about) {
            open.count += 1;
            return Ok(open.answer.subscribe());
        }
        if state.open.len() >= MAX_OPEN {
            return Err(None);
        }
        state.last += 1;
        let (answer, waiting) = watch::channel(None);
        let id = state.last;
        state.open.insert(about, Open { id, count: 1, answer });
        drop(state);
        let Asking { rule, host, request, program, ask } = asking.clone();
        let question = Question { id, rule, host, request, program, reason: ask.reason, unattended: ask.unattended };
        if let Err(error) = self.reporter.tell(&Report::Asked(question)) {
            tracing::warn!(%error, "nobody can be asked");
        }
        Ok(waiting)
    }

    /// Somebody no longer waits.
    fn leave(&self, about: &About) {
        let mut state = self.state();
        let Some(open) = state.open.get_mut(about) else { return };
        open.count -= 1;
        let (id, is_last) = (open.id, open.count == 0);
        if is_last {
            state.open.remove(about);
            drop(state);
            drop(self.reporter.tell(&Report::Withdrawn(id)));
        }
    }
}

/// One who waits, until it is dropped.
struct Waiting<'a> {
    approvals: &'a Approvals,
    about: About,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.approvals.leave(&self.about);
    }
}

impl Approver for Approvals {
    fn ask(&self, asking: Asking) -> Pin<Box<dyn Future<Output = Option<bool>> + Send + '_>> {
        Box::pin(async move {
            let mut waiting = match self.wait(&asking) {
                Ok(waiting) => waiting,
                Err(answer) => return answer,
            };
            let _waits = Waiting { approvals: self, about: (asking.rule, asking.host) };
            let answer = waiting.wait_for(Option::is_some).await;
            answer.ok().and_then(|answer| *answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::handoff::Reports;
    use crate::engine::policy::rules::ask::Ask;

    fn asking(host: &str) -> Asking {
        Asking {
            rule: "r".into(),
            host: host.into(),
            request: format!("GET https://{host}/"),
            program: None,
            ask: Ask::default(),
        }
    }

    /// What was reported so far.
    fn reported(socket: &UnixStream) -> Vec<Report> {
        use std::io::Read as _;
        socket.set_nonblocking(true).unwrap();
        let mut bytes = [0; 65_536];
        let read = (&*socket).read(&mut bytes).unwrap_or(0);
        let mut reports = Reports::default();
        reports.feed(&bytes[..read]);
        std::iter::from_fn(|| reports.next().unwrap()).collect()
    }

    #[tokio::test]
    async fn many_that_wait_for_one_host_are_one_question_and_get_one_answer() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let approvals = Arc::new(Approvals::new(&Arc::new(Reporter::new(ours))));
        let ask = |host: &'static str| {
            let approvals = Arc::clone(&approvals);
            tokio::spawn(async move { approvals.ask(asking(host)).await })
        };
        let waiting = [ask("a.test"), ask("a.test"), ask("a.test")];
        let other = ask("b.test");
        while approvals.state().open.values().map(|open| open.count).sum::<usize>() < 4 {
            tokio::task::yield_now().await;
        }
        let asked = reported(&theirs);
        assert_eq!(asked.len(), 2, "{asked:?}");
        let id = |host: &str| approvals.state().open[&("r".to_owned(), host.to_owned())].id;
        approvals.answer(id("a.test"), true, true);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Some(true));
        }
        approvals.answer(id("b.test"), false, false);
        assert_eq!(other.await.unwrap(), Some(false));
        assert_eq!(ask("a.test").await.unwrap(), Some(true), "the answer holds for the session");
        let again = ask("b.test");
        while approvals.state().open.is_empty() {
            tokio::task::yield_now().await;
        }
        again.abort();
        assert!(again.await.is_err());
        let told = reported(&theirs);
        assert!(matches!(told[..], [Report::Asked(_), Report::Withdrawn(3)]), "{told:?}");
    }
}
