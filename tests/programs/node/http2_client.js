// Node's http2.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const { once } = require('events');
const http2 = require('http2');

const { WebSocket } = require('ws');

const { BLOB, ORIGIN, gate, run } = require('./checks.js');

const session = http2.connect(ORIGIN);

async function rest(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

const ask = async (path) => (await rest(session.request({ ':path': path }))).toString();
const post = (path) => session.request({ ':path': path, ':method': 'POST' });

async function bytes() {
  const stream = session.request({ ':path': '/hello' });
  const [head] = await once(stream, 'response');
  assert.deepStrictEqual([head[':status'], head['x-version']], [200, '2.0']);
  assert.strictEqual((await rest(stream)).toString(), 'hello\n');
  assert.ok(BLOB.equals(await rest(session.request({ ':path': '/blob' }))));
  const sum = post('/sum');
  sum.end(BLOB);
  assert.strictEqual((await rest(sum)).toString(), `${crypto.createHash('sha256').update(BLOB).digest('hex')}\n`);
}

// Ninety streams of one connection, each half here before any goes on.
async function streamsRunBesideOneAnother() {
  const names = Array.from({ length: 90 }, gate);
  const streams = names.map((name) => session.request({ ':path': `/stream?gate=${name}` }));
  for (const [piece] of await Promise.all(streams.map((stream) => once(stream, 'data')))) {
    assert.strictEqual(piece.toString(), 'one\n');
  }
  for (const [at, name] of names.entries()) {
    const second = once(streams[at], 'data');
    await ask(`/open?gate=${name}`);
    assert.strictEqual((await second)[0].toString(), 'two\n');
  }
}

async function bothStream() {
  const stream = post('/echo');
  for (let number = 0; number < 50; number += 1) {
    const back = once(stream, 'data');
    stream.write(String(number));
    assert.strictEqual((await back)[0].toString(), String(number));
  }
  stream.end();
  await once(stream, 'end');
}

async function trailers() {
  const stream = session.request({ ':path': '/trailers' });
  let received = {};
  stream.on('trailers', (head) => { received = head; });
  assert.strictEqual((await rest(stream)).toString(), 'body\n');
  assert.strictEqual(received['x-sum'], 'abc');
}

async function earlyHints() {
  const stream = session.request({ ':path': '/early' });
  const hints = [];
  stream.on('headers', (head) => hints.push([head[':status'], head.link]));
  assert.strictEqual((await rest(stream)).toString(), 'late\n');
  assert.deepStrictEqual(hints, [[103, '</style.css>; rel=preload; as=style']]);
}

// Either end's code reaches the other, and the connection goes on. The last code is nobody's.
async function resets() {
  for (const code of [http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, http2.constants.NGHTTP2_REFUSED_STREAM, 0x1234]) {
    const name = gate();
    const theirs = session.request({ ':path': `/reset?gate=${name}&code=${code}` });
    const closed = new Promise((resolve) => theirs.on('error', () => {}).on('close', resolve));
    await once(theirs, 'data');
    await ask(`/open?gate=${name}`);
    await closed;
    assert.strictEqual(theirs.rstCode, code);
    const held = gate();
    const ours = session.request({ ':path': `/held?gate=${held}` });
    ours.on('error', () => {});
    await once(ours, 'data');
    ours.close(code);
    assert.strictEqual(await ask(`/wait?gate=${held}`), String(code));
  }
}

// RFC 8441: the server's settings say that it takes WebSockets, and it does.
async function websocket() {
  if (!session.remoteSettings.enableConnectProtocol) await once(session, 'remoteSettings');
  assert.ok(session.remoteSettings.enableConnectProtocol, 'the setting did not arrive');
  const name = gate();
  const head = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': `/ws?gate=${name}`, 'sec-websocket-version': '13' };
  const stream = session.request(head, { endStream: false });
  const [answer] = await once(stream, 'response');
  assert.strictEqual(answer[':status'], 200);
  const socket = new WebSocket(null, undefined, { autoPong: true });
  // One that is made by hand is taken for a server's, which would not mask what it sends.
  socket._isServer = false;
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0 });
  const said = once(socket, 'message');
  socket.send('how');
  assert.strictEqual((await said)[0].toString(), '2.0 lab ');
  const closed = once(socket, 'close');
  socket.send('close');
  const [code, reason] = await closed;
  assert.deepStrictEqual([code, reason.toString()], [4001, 'as asked']);
}

run({
  bytes_arrive: bytes,
  streams_run_beside_one_another: streamsRunBesideOneAnother,
  both_stream: bothStream,
  trailers_arrive: trailers,
  early_hints_arrive: earlyHints,
  resets_keep_their_codes: resets,
  a_websocket_talks: websocket,
}, () => session.close());
