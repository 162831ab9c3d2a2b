// What a page does: `page.html?checks=CHECK,…` runs these checks and shows which is right. An image that the server holds
// back holds the page's load event back until then, and so the browser, which is told to show what it has loaded.
'use strict';

const parameters = new URLSearchParams(location.search);
const gate = () => crypto.randomUUID();
const ask = async (path) => (await fetch(path)).text();

function check(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}, got ${got}`);
}

async function bytes() {
  const response = await fetch('/hello');
  check(await response.text(), 'hello\n');
  check(response.headers.get('x-version'), '2.0');
  check(performance.getEntriesByName(response.url)[0].nextHopProtocol, 'h2');
  const blob = new Uint8Array(await (await fetch('/blob')).arrayBuffer());
  check(blob.length, 3 << 20);
  check(blob.every((byte, at) => byte === at % 251), true);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', blob));
  const sum = await (await fetch('/sum', { method: 'POST', body: blob })).text();
  check(sum, `${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}\n`);
}

async function responseStreams() {
  const name = gate();
  const reader = (await fetch(`/stream?gate=${name}`)).body.pipeThrough(new TextDecoderStream()).getReader();
  check((await reader.read()).value, 'one\n');
  await ask(`/open?gate=${name}`);
  check((await reader.read()).value, 'two\n');
  check((await reader.read()).done, true);
}

async function requestStreams() {
  const name = gate();
  const pieces = (async function* () {
    yield 'one';
    check(await ask(`/wait?gate=${name}`), 'one');
    yield 'two';
  })();
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(new TextEncoder().encode(value));
    },
  });
  const response = await fetch(`/collect?gate=${name}`, { method: 'POST', body, duplex: 'half' });
  check(await response.text(), 'onetwo');
}

async function events() {
  const name = gate();
  const source = new EventSource(`/events?gate=${name}`);
  const next = (type) => new Promise((resolve, reject) => {
    source.addEventListener(type, resolve, { once: true });
    source.addEventListener('error', reject, { once: true });
  });
  const first = await next('message');
  check(`${first.lastEventId} ${first.data}`, '1 one');
  const named = next('named');
  await ask(`/open?gate=${name}`);
  const second = await named;
  check(`${second.lastEventId} ${second.data}`, '2 two\nlines');
  source.close();
}

async function open(name) {
  const socket = new WebSocket(`wss://${location.host}/ws?gate=${name}`, ['lab']);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const answer = (message) => new Promise((resolve) => {
    socket.onmessage = (event) => resolve(event.data);
    socket.send(message);
  });
  const closed = new Promise((resolve) => { socket.onclose = resolve; });
  return { socket, answer, closed };
}

async function websocket() {
  const name = gate();
  const { socket, answer, closed } = await open(name);
  check(socket.protocol, 'lab');
  for (const size of [0, 126, 65536, 1 << 20]) {
    check((await answer(new Uint8Array(size))).byteLength, size);
  }
  check(await answer('ping'), 'pong from the server');
  const whole = answer('fragments');
  await ask(`/open?gate=${name}`);
  check(await whole, 'one two');
  socket.send('close');
  const { code, reason } = await closed;
  check(`${code} ${reason}`, '4001 as asked');
  const other = gate();
  (await open(other)).socket.close(4002, 'enough');
  check(await ask(`/wait?gate=${encodeURIComponent(`${other} closed`)}`), '4002 enough');
}

const checks = {
  bytes_arrive: bytes,
  response_streams: responseStreams,
  request_streams: requestStreams,
  events_arrive_one_by_one: events,
  a_websocket_talks: websocket,
  // RFC 8441: on the connection that is there, since the server's settings say that it may.
  a_websocket_goes_over_http2: async () => check(await (await open(gate())).answer('how'), '2.0 lab '),
};

async function run() {
  const held = gate();
  document.body.append(Object.assign(new Image(), { src: `/wait?gate=${held}` }));
  const results = document.getElementById('results');
  try {
    for (const name of parameters.get('checks').split(',')) {
      await checks[name]();
      results.append(`${name} is right\n`);
    }
  } catch (error) {
    results.append(String(error.stack || error));
  }
  await ask(`/open?gate=${held}`);
}

run();
