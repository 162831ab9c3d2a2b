// @connectrpc/connect-node: `connect_client.js PROTOCOL VERSION CHECK…`, where the protocol is connect, grpc or
// grpc-web, and the version that of HTTP.
'use strict';
const assert = require('assert');

const { Code, ConnectError, createClient } = require('@connectrpc/connect');
const node = require('@connectrpc/connect-node');

const { ORIGIN, gate, run } = require('./checks.js');
const { Talk } = require('./schema.js');

const [protocol, httpVersion] = process.argv.splice(2, 2);
const transports = {
  connect: node.createConnectTransport,
  grpc: node.createGrpcTransport,
  'grpc-web': node.createGrpcWebTransport,
};
const client = createClient(Talk, transports[protocol]({ baseUrl: ORIGIN, httpVersion }));

const ask = async (path) => (await fetch(ORIGIN + path)).text();

async function unary() {
  let head;
  let trailers;
  const piece = { text: 'é', data: new Uint8Array([0, 255, 1]) };
  const answer = await client.unary(piece, {
    headers: { 'x-text': 'two words' },
    onHeader: (headers) => { head = headers; },
    onTrailer: (headers) => { trailers = headers; },
  });
  assert.strictEqual(answer.text, piece.text);
  assert.ok(Buffer.from(piece.data).equals(answer.data));
  assert.strictEqual(head.get('x-text'), 'two words');
  assert.strictEqual(trailers.get('trail-x-text'), 'two words');
  const large = { data: new Uint8Array(3 << 20).fill(7) };
  assert.ok(Buffer.from(large.data).equals((await client.unary(large)).data));
}

async function errors() {
  const failure = await client.unary({ text: 'fail' }).then(() => assert.fail('no error'), ConnectError.from);
  assert.strictEqual(failure.code, Code.FailedPrecondition);
  assert.strictEqual(failure.rawMessage, 'as asked: é');
  assert.strictEqual(failure.metadata.get('x-why'), 'asked');
}

async function clientStreams() {
  const name = gate();
  async function* pieces() {
    yield { text: 'one ' };
    assert.strictEqual(await ask(`/wait?gate=${name}`), 'one ');
    yield { text: 'two' };
  }
  assert.strictEqual((await client.collect(pieces(), { headers: { gate: name } })).text, 'one two');
}

async function serverStreams() {
  const name = gate();
  let trailers;
  const options = { headers: { gate: name }, onTrailer: (headers) => { trailers = headers; } };
  const pieces = client.follow({ text: 'line' }, options)[Symbol.asyncIterator]();
  assert.strictEqual((await pieces.next()).value.text, 'line one');
  await ask(`/open?gate=${name}`);
  assert.strictEqual((await pieces.next()).value.text, 'line two');
  assert.ok((await pieces.next()).done);
  assert.strictEqual(trailers.get('x-count'), '2');
}

// Each message is sent when the one before has come back.
async function bothStream() {
  let cameBack = () => {};
  let trailers;
  async function* pieces() {
    for (let number = 0; number < 50; number += 1) {
      const back = new Promise((resolve) => { cameBack = resolve; });
      yield { text: String(number) };
      await back;
    }
  }
  let count = 0;
  for await (const piece of client.converse(pieces(), { onTrailer: (headers) => { trailers = headers; } })) {
    assert.strictEqual(piece.text, String(count));
    count += 1;
    cameBack();
  }
  assert.strictEqual(count, 50);
  assert.strictEqual(trailers.get('x-count'), '50');
}

run({
  unary,
  errors_arrive: errors,
  a_client_streams: clientStreams,
  a_server_streams: serverStreams,
  both_stream: bothStream,
}, () => process.exit(0));
