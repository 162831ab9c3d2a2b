// Node's fetch, which is undici: HTTP/1.1.
'use strict';
const assert = require('assert');
const crypto = require('crypto');

const { BLOB, ORIGIN, gate, run } = require('./checks.js');

async function bytes() {
  const response = await fetch(`${ORIGIN}/hello`);
  assert.strictEqual(await response.text(), 'hello\n');
  assert.strictEqual(response.headers.get('x-version'), '1.1');
  assert.ok(BLOB.equals(Buffer.from(await (await fetch(`${ORIGIN}/blob`)).arrayBuffer())));
  const sum = await fetch(`${ORIGIN}/sum`, { method: 'POST', body: BLOB });
  assert.strictEqual(await sum.text(), `${crypto.createHash('sha256').update(BLOB).digest('hex')}\n`);
}

async function responseStreams() {
  const name = gate();
  const reader = (await fetch(`${ORIGIN}/stream?gate=${name}`)).body.getReader();
  assert.strictEqual(Buffer.from((await reader.read()).value).toString(), 'one\n');
  await fetch(`${ORIGIN}/open?gate=${name}`);
  assert.strictEqual(Buffer.from((await reader.read()).value).toString(), 'two\n');
  assert.ok((await reader.read()).done);
}

async function requestStreams() {
  const name = gate();
  async function* body() {
    yield Buffer.from('one');
    assert.strictEqual(await (await fetch(`${ORIGIN}/wait?gate=${name}`)).text(), 'one');
    yield Buffer.from('two');
  }
  const options = { method: 'POST', body: body(), duplex: 'half' };
  assert.strictEqual(await (await fetch(`${ORIGIN}/collect?gate=${name}`, options)).text(), 'onetwo');
}

run({ bytes_arrive: bytes, response_streams: responseStreams, request_streams: requestStreams });
