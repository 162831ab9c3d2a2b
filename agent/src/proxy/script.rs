//! Scripts that run: each on a thread of its own, which its calls take turns on.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::engine::edit::Failed;
use crate::engine::event::{Event, Events};
use crate::engine::script::{Engine, Error, Script};

/// Calls that wait for a script; who calls when there are more waits for room.
const WAITING: usize = 256;
/// Scripts that run at once. Those of rules that are gone end when their last exchange has.
const MAX_RUNNING: usize = 16;

type Job = Box<dyn FnOnce(&Engine) -> Option<Error> + Send>;

/// All scripts that run.
#[derive(Default)]
pub(crate) struct Scripts(Mutex<Vec<(Script, Running)>>);

/// A script that runs; it ends with the last of these.
#[derive(Clone)]
pub(crate) struct Running {
    jobs: SyncSender<Job>,
}

impl Scripts {
    /// This script, running.
    pub(crate) fn running(&self, script: &Script, events: &Events) -> Running {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = running.iter().find(|(known, _)| known == script) {
            return known.clone();
        }
        if running.len() >= MAX_RUNNING {
            running.remove(0);
        }
        let started = Running::start(script.clone(), Arc::clone(events));
        running.push((script.clone(), started.clone()));
        started
    }
}

impl Running {
    fn start(script: Script, events: Events) -> Self {
        let (jobs, waiting) = sync_channel::<Job>(WAITING);
        let named = std::thread::Builder::new().name("script".into());
        if let Err(error) = named.spawn(move || run(&script, &waiting, &events)) {
            tracing::error!(%error, "a script cannot be run");
        }
        Self { jobs }
    }

    /// Calls the script and waits for what it says.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Engine) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Failed> {
        let (result, returned) = sync_channel(1);
        let job: Job = Box::new(move |engine| {
            let called = call(engine);
            let failed = called.as_ref().err().cloned();
            drop(result.send(called.map_err(|error| Failed(error.to_string()))));
            failed
        });
        let gone = || Failed("the script has ended".to_owned());
        self.jobs.send(job).map_err(|_gone| gone())?;
        returned.recv().map_err(|_gone| gone())?
    }
}

/// Runs what comes until nobody has anything more.
fn run(script: &Script, waiting: &Receiver<Job>, events: &Events) {
    let begun = Instant::now();
    let start = || Engine::new(script, move || begun.elapsed());
    let mut engine = start();
    while let Ok(job) = waiting.recv() {
        let running = match &engine {
            Ok(running) => running,
            Err(error) => {
                say(events, script, "error", error.to_string());
                engine = start();
                continue;
            }
        };
        let failed = job(running);
        for line in running.take_log() {
            say(events, script, line.level.name(), line.text);
        }
        if let Some(error) = failed {
            say(events, script, "error", error.to_string());
            if error.ends_engine() {
                engine = start();
            }
        }
    }
}

fn say(events: &Events, script: &Script, level: &'static str, text: String) {
    events.emit(Event::ScriptSaid { script: script.name().to_owned(), level, text });
}
