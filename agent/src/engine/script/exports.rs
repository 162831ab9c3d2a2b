//! What a script exports, whether it is a CommonJS module or an ES module.

use rquickjs::{Ctx, Function, Module, Object, Value};

use super::error::Fault;
use super::handler::Handler;
use super::vm::{Vm, named};

/// The objects whose members are a script's exports, the first of them first.
pub(super) struct Exports<'js>(Vec<Object<'js>>);

impl<'js> Exports<'js> {
    /// Runs `source` and says what it exports. Whatever is no script, with `import`, `export` or `await` outside functions,
    /// is a module.
    pub(super) fn of(vm: &Vm, ctx: &Ctx<'js>, name: &str, source: &str) -> Result<Self, Fault> {
        match compile(ctx, name, source) {
            Ok(script) => Self::of_script(ctx, &script),
            Err(_) => {
                // What is wrong with it is told as of a module: as a script it may be wrong for being one.
                ctx.catch();
                Self::of_module(vm, ctx, name, source)
            }
        }
    }

    fn of_script(ctx: &Ctx<'js>, script: &Function<'js>) -> Result<Self, Fault> {
        let module = Object::new(ctx.clone())?;
        let exports = Object::new(ctx.clone())?;
        module.set("exports", exports.clone())?;
        script.call::<_, ()>((rquickjs::prelude::This(exports.clone()), exports, module.clone()))?;
        let Some(exports) = module.get::<_, Value<'js>>("exports")?.into_object() else {
            return Fault::unusable("module.exports is no object");
        };
        let default = exports.get::<_, Value<'js>>("default")?.into_object();
        Ok(Self([exports].into_iter().chain(default).collect()))
    }

    fn of_module(vm: &Vm, ctx: &Ctx<'js>, name: &str, source: &str) -> Result<Self, Fault> {
        let (module, promise) = Module::declare(ctx.clone(), name, source)?.eval()?;
        vm.settle(promise.into_value())?;
        let namespace = module.namespace()?;
        let default = namespace.get::<_, Value<'js>>("default")?.into_object();
        Ok(Self([namespace].into_iter().chain(default).collect()))
    }

    /// The member `name`, and the object that has it.
    pub(super) fn member(&self, name: &str) -> Result<Option<(&Object<'js>, Value<'js>)>, Fault> {
        for owner in &self.0 {
            let value: Value<'js> = owner.get(name)?;
            if !value.is_undefined() && !value.is_null() {
                return Ok(Some((owner, value)));
            }
        }
        Ok(None)
    }

    /// The function `name`.
    pub(super) fn function(&self, name: &str) -> Result<Option<Handler>, Fault> {
        let Some((owner, value)) = self.member(name)? else { return Ok(None) };
        match value.as_function() {
            Some(function) => Ok(Some(Handler::new(owner, function))),
            None => Fault::unusable(format!("`{name}` is no function")),
        }
    }

    /// The names of all that can be seen.
    pub(super) fn names(&self) -> Result<Vec<String>, Fault> {
        self.0.iter().flat_map(Object::keys::<String>).map(|name| Ok(name?)).collect()
    }
}

/// The function whose body is `source`: what CommonJS runs.
fn compile<'js>(ctx: &Ctx<'js>, name: &str, source: &str) -> rquickjs::Result<Function<'js>> {
    // On the first line, so that lines are counted as in the file; a first line for the shell is no JavaScript.
    let comment = if source.starts_with("#!") { "//" } else { "" };
    ctx.eval_with_options(format!("(function (exports, module) {{{comment}{source}\n}})"), named(name))
}
