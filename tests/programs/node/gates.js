// Gates: what one request waits for and another opens, with a text that is handed over. By them a test knows that
// something has arrived while its stream is still open, without measuring time.
'use strict';

const gates = new Map();

function gate(name) {
  if (!gates.has(name)) {
    let open;
    const opened = new Promise((resolve) => { open = resolve; });
    gates.set(name, { open, opened });
  }
  return gates.get(name);
}

// Opens a gate for those who wait and those who will.
exports.open = (name, value = '') => gate(name).open(value);
// Waits for a gate and gives what it was opened with.
exports.opened = (name) => gate(name).opened;
