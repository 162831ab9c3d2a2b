// What a script finds besides the language: `console`. What would compile other sources is taken away. Runs once, before
// the script.
(function (emit, maxLine) {
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
})
