// What a script finds besides the language: `console`. What would compile other sources is taken away, and promises end
// with the time of a call. Runs once, before the script.
(function (emit, maxLine, isLate) {
    'use strict';
    const { stringify } = JSON;
    const show = (value) => {
        if (typeof value === 'string') return value;
        if (value instanceof Error) return `${value}\n${value.stack ?? ''}`.trimEnd();
        try {
            return stringify(value) ?? String(value);
        } catch {
            return String(value);
        }
    };
    const writer = (level) => (...values) => emit(level, values.map(show).join(' ').slice(0, maxLine).toWellFormed());
    const [log, warn, error] = [writer('log'), writer('warn'), writer('error')];
    globalThis.console = { log, info: log, debug: log, warn, error };

    const refused = function Function() {
        throw new TypeError('source that is made at run time is not compiled');
    };
    for (const kind of [function () {}, function* () {}, async function () {}, async function* () {}]) {
        const prototype = Object.getPrototypeOf(kind);
        Object.defineProperty(prototype, 'constructor', { value: refused });
    }
    refused.prototype = Function.prototype;
    globalThis.Function = refused;
    delete globalThis.eval;

    // QuickJS makes a rejected promise of whatever an executor throws, and so of what stops a call: `for (;;) new
    // Promise(slow)` would never end. Here it does, since the loop that waits for being stopped is in no executor.
    const stopping = (value) => {
        if (isLate()) for (;;);
        return value;
    };
    const Native = Promise;
    const Watched = function Promise(executor) {
        if (new.target === undefined) throw new TypeError('Promise is called without new');
        return stopping(Reflect.construct(Native, [executor], new.target));
    };
    for (const key of Reflect.ownKeys(Native)) {
        const property = Object.getOwnPropertyDescriptor(Native, key);
        const { value } = property;
        if (typeof value === 'function') {
            property.value = { [key](...values) { return stopping(Reflect.apply(value, this, values)); } }[key];
        }
        Object.defineProperty(Watched, key, property);
    }
    globalThis.Promise = Watched;
})
