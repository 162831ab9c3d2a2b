//! A function of a script that is kept from call to call.

use rquickjs::prelude::This;
use rquickjs::{Ctx, Function, Object, Persistent, Value};

use super::error::Fault;
use super::vm::Vm;

/// A function, and the object that it is a method of.
pub(super) struct Handler {
    owner: Persistent<Object<'static>>,
    function: Persistent<Function<'static>>,
}

impl Handler {
    pub(super) fn new<'js>(owner: &Object<'js>, function: &Function<'js>) -> Self {
        let ctx = function.ctx();
        Self { owner: Persistent::save(ctx, owner.clone()), function: Persistent::save(ctx, function.clone()) }
    }

    /// Calls it, and waits for what it promises.
    pub(super) fn call<'js>(
        &self,
        vm: &Vm,
        ctx: &Ctx<'js>,
        (first, second): (Value<'js>, Value<'js>),
    ) -> Result<Value<'js>, Fault> {
        let owner = self.owner.clone().restore(ctx)?;
        let value = self.function.clone().restore(ctx)?.call((This(owner), first, second))?;
        vm.settle(value)
    }
}
