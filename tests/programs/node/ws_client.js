// `ws` (RFC 6455), with permessage-deflate (RFC 7692).
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const { once } = require('events');

const { WebSocket } = require('ws');

const { ORIGIN, gate, run } = require('./checks.js');

async function open(query = '', options = {}) {
  const socket = new WebSocket(`wss://node.test/ws${query}`, ['other', 'lab'], options);
  await once(socket, 'open');
  return socket;
}

async function ask(socket, message, options) {
  const answer = once(socket, 'message');
  socket.send(message, options);
  return (await answer)[0];
}

async function messages() {
  for (const perMessageDeflate of [false, { threshold: 0 }]) {
    const socket = await open('', { perMessageDeflate });
    assert.strictEqual(socket.protocol, 'lab');
    const how = `1.1 lab ${perMessageDeflate ? 'permessage-deflate' : ''}`;
    assert.strictEqual((await ask(socket, 'how')).toString(), how);
    for (const size of [0, 1, 125, 126, 65535, 65536, 3 << 20]) {
      const message = crypto.randomBytes(size);
      assert.ok(message.equals(await ask(socket, message)), size);
    }
    socket.terminate();
  }
}

async function fragments() {
  const name = gate();
  const socket = await open(`?gate=${name}`);
  const whole = once(socket, 'message');
  socket.send('fragments');
  await (await fetch(`${ORIGIN}/open?gate=${name}`)).text();
  assert.strictEqual((await whole)[0].toString(), 'one two');
  socket.send('three ', { fin: false });
  socket.ping('between fragments');
  await once(socket, 'pong');
  assert.strictEqual((await ask(socket, 'four', { fin: true })).toString(), 'three four');
  socket.terminate();
}

async function pings() {
  const socket = await open();
  const pong = once(socket, 'pong');
  socket.ping('from the client');
  assert.strictEqual((await pong)[0].toString(), 'from the client');
  const ping = once(socket, 'ping');
  assert.strictEqual((await ask(socket, 'ping')).toString(), 'pong from the server');
  assert.strictEqual((await ping)[0].toString(), 'from the server');
  socket.terminate();
}

async function closes() {
  const theirs = await open();
  theirs.send('close');
  const [code, reason] = await once(theirs, 'close');
  assert.deepStrictEqual([code, reason.toString()], [4001, 'as asked']);
  const name = gate();
  const ours = await open(`?gate=${name}`);
  ours.close(4002, 'enough');
  assert.strictEqual(await (await fetch(`${ORIGIN}/wait?gate=${name}%20closed`)).text(), '4002 enough');
}

run({
  messages_come_back: messages,
  fragments_arrive: fragments,
  pings_are_answered: pings,
  close_codes_and_reasons_arrive: closes,
});
