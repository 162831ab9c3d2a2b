//! QuickJS with its limits: a runtime, one context, and the time that a call may take.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::promise::PromiseState;
use rquickjs::{Context, Ctx, Function, Runtime, Value};

use super::console::Console;
use super::error::{Error, Fault, What, explain};
use super::{MAX_LINE, MAX_MEMORY, MAX_STACK};

/// The language, without what tells time to the microsecond.
type Language = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// What a script finds besides the language.
const PRELUDE: &str = include_str!("prelude.js");

/// A runtime with its context.
pub(super) struct Vm {
    context: Context,
    timer: Rc<Timer>,
    /// What the script writes.
    pub(super) console: Rc<Console>,
    script: String,
}

/// Until when a call may run.
struct Timer {
    clock: Box<dyn Fn() -> Duration>,
    until: Cell<Duration>,
    is_late: Cell<bool>,
}

impl Timer {
    fn start(&self, limit: Duration) {
        self.until.set((self.clock)().saturating_add(limit));
        self.is_late.set(false);
    }

    /// Whether time is up; then it stays so until the next start.
    fn is_late(&self) -> bool {
        if (self.clock)() > self.until.get() {
            self.is_late.set(true);
        }
        self.is_late.get()
    }
}

impl Vm {
    /// A runtime for `script`, with nothing loaded.
    pub(super) fn new(script: &str, clock: impl Fn() -> Duration + 'static) -> Result<Self, Error> {
        let timer = Timer { clock: Box::new(clock), until: Cell::new(Duration::MAX), is_late: Cell::new(false) };
        let (timer, console) = (Rc::new(timer), Rc::new(Console::default()));
        let no_memory = |_error| Error { script: script.to_owned(), line: None, what: What::Memory };
        let runtime = Runtime::new().map_err(no_memory)?;
        runtime.set_memory_limit(MAX_MEMORY);
        runtime.set_max_stack_size(MAX_STACK);
        let watched = Rc::clone(&timer);
        runtime.set_interrupt_handler(Some(Box::new(move || watched.is_late())));
        let context = Context::custom::<Language>(&runtime).map_err(no_memory)?;
        let vm = Self { context, timer, console, script: script.to_owned() };
        vm.run(Duration::MAX, |ctx| vm.prelude(ctx))?;
        Ok(vm)
    }

    fn prelude(&self, ctx: &Ctx<'_>) -> Result<(), Fault> {
        let console = Rc::clone(&self.console);
        let emit = Function::new(ctx.clone(), move |level: String, text: String| console.write(&level, text))?;
        let timer = Rc::clone(&self.timer);
        let is_late = Function::new(ctx.clone(), move || timer.is_late())?;
        let prelude: Function<'_> = ctx.eval_with_options(PRELUDE, named("prelude.js"))?;
        Ok(prelude.call((emit, MAX_LINE, is_late))?)
    }

    /// Does `work` with the context, and then what the script has put off, for no longer than `limit`.
    pub(super) fn run<T>(&self, limit: Duration, work: impl FnOnce(&Ctx<'_>) -> Result<T, Fault>) -> Result<T, Error> {
        self.timer.start(limit);
        let result = self.context.with(|ctx| {
            let result = work(&ctx).map_err(|fault| explain(&ctx, &self.script, fault));
            self.finish(&ctx);
            result
        });
        if !self.timer.is_late.get() {
            return result;
        }
        let line = result.err().and_then(|error| error.line);
        Err(Error { script: self.script.clone(), line, what: What::Late(limit) })
    }

    /// Runs what the script has put off.
    pub(super) fn finish(&self, ctx: &Ctx<'_>) {
        while !self.timer.is_late() && ctx.execute_pending_job() {}
    }

    /// What `value` comes to, if it is a promise, and itself otherwise. Nothing is put off any more then.
    pub(super) fn settle<'js>(&self, value: Value<'js>) -> Result<Value<'js>, Fault> {
        self.finish(&value.ctx().clone());
        let Some(promise) = value.as_promise() else { return Ok(value) };
        match promise.state() {
            PromiseState::Pending => Err(Fault::Waiting),
            PromiseState::Resolved | PromiseState::Rejected => Ok(promise.finish::<Value<'js>>()?),
        }
    }
}

/// Options to evaluate `file` with, which is a script as CommonJS has them.
pub(super) fn named(file: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(file.to_owned());
    options
}
