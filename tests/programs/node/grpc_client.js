// @grpc/grpc-js: `grpc_client.js HOST CHECK…`.
'use strict';
const assert = require('assert');
const { once } = require('events');
const grpc = require('@grpc/grpc-js');

const { gate, run } = require('./checks.js');
const { Echo } = require('./grpc_echo.js');

const [host] = process.argv.splice(2, 1);
const MIB = 1 << 20;
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const GZIP = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };

const Client = grpc.makeGenericClientConstructor(Echo, 'Echo');
const open = (options) => new Client(`${host}:443`, grpc.credentials.createSsl(), { ...UNLIMITED, ...options });
const client = open({});

function metadata(entries) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
}

// A call with one response: { error, response, head, trailers }.
function unary(from, method, request, entries = {}) {
  return new Promise((resolve) => {
    const result = {};
    const call = from[method](request, metadata(entries), (error, response) => Object.assign(result, { error, response }));
    call.on('metadata', (head) => { result.head = head.getMap(); });
    call.on('status', (status) => resolve({ ...result, trailers: status.metadata.getMap() }));
  });
}

// The next message. To be called before it can come.
async function next(call) {
  const [message] = await once(call, 'data');
  return message;
}

// How a call ends: { code, details, metadata }. To be called when it starts.
function ended(call) {
  call.on('error', () => {});
  return new Promise((resolve) => call.on('status', resolve));
}

async function metadataArrives() {
  const sent = { 'x-text': 'two words', 'x-raw-bin': BINARY };
  const { error, response, head, trailers } = await unary(client, 'Unary', Buffer.from('é'), sent);
  assert.ifError(error);
  assert.strictEqual(response.toString(), 'é');
  for (const [before, got] of [['', head], ['trail-', trailers]]) {
    assert.strictEqual(got[`${before}x-text`], 'two words');
    assert.deepStrictEqual(got[`${before}x-raw-bin`], BINARY);
  }
}

async function errors() {
  const { error } = await unary(client, 'Unary', Buffer.alloc(0), { 'x-fail': 'as asked', 'x-raw-bin': BINARY });
  assert.strictEqual(error.code, grpc.status.FAILED_PRECONDITION);
  assert.strictEqual(error.details, 'as asked');
  assert.deepStrictEqual(error.metadata.get('trail-x-raw-bin'), [BINARY]);
}

async function clientStreams() {
  const name = gate();
  let call;
  const response = new Promise((resolve, reject) => {
    call = client.Collect(metadata({ gate: name }), (error, response) => (error ? reject(error) : resolve(response)));
  });
  call.write(Buffer.from('one '));
  const seen = await unary(client, 'Wait', Buffer.from(name));
  assert.strictEqual(seen.response.toString(), 'one ');
  call.end(Buffer.from('two'));
  assert.strictEqual((await response).toString(), 'one two');
}

async function serverStreams() {
  const name = gate();
  const call = client.Follow(Buffer.from('line'), metadata({ gate: name, 'x-end': 'here' }));
  const end = ended(call);
  assert.strictEqual((await next(call)).toString(), 'line one');
  const second = next(call);
  await unary(client, 'Open', Buffer.from(name));
  assert.strictEqual((await second).toString(), 'line two');
  const status = await end;
  assert.strictEqual(status.code, grpc.status.OK);
  assert.deepStrictEqual(status.metadata.get('trail-x-end'), ['here']);
}

async function bothStream() {
  const call = client.Converse();
  const end = ended(call);
  for (let number = 0; number < 100; number += 1) {
    const back = next(call);
    call.write(Buffer.from(String(number)));
    assert.strictEqual((await back).toString(), String(number));
  }
  call.end();
  assert.deepStrictEqual((await end).metadata.get('x-count'), ['100']);
}

// The server knows that the client has given up, for this reason.
async function givenUp(options, deadline, giveUp, code) {
  const name = gate();
  const call = client.Hang(Buffer.alloc(0), metadata({ gate: name }), options);
  const status = ended(call);
  call.resume();
  const [head] = await once(call, 'metadata');
  assert.deepStrictEqual(head.get('x-deadline'), [deadline]);
  giveUp(call);
  assert.strictEqual((await unary(client, 'Wait', Buffer.from(name))).response.toString(), 'cancelled');
  assert.strictEqual((await status).code, code);
}

async function compressed() {
  const { error, response } = await unary(open(GZIP), 'Unary', Buffer.alloc(3 * MIB), { 'x-compress': 'gzip' });
  assert.ifError(error);
  assert.deepStrictEqual(response, Buffer.alloc(3 * MIB));
}

async function large() {
  const message = Buffer.alloc(64 * MIB, BINARY);
  const { error, response } = await unary(client, 'Unary', message);
  assert.ifError(error);
  assert.ok(message.equals(response));
}

async function blocked() {
  const { error } = await unary(client, 'Unary', Buffer.alloc(0));
  const details = 'blocked by rule `no unary`: ü: 100 %; ask whoever runs the session to allow it';
  assert.deepStrictEqual([error.code, error.details], [grpc.status.PERMISSION_DENIED, details]);
}

run({
  metadata_arrives: metadataArrives,
  an_error_keeps_status_message_and_trailers: errors,
  a_client_streams: clientStreams,
  a_server_streams: serverStreams,
  both_stream: bothStream,
  a_cancelled_call_is_cancelled_at_the_server: () =>
    givenUp({}, 'none', (call) => call.cancel(), grpc.status.CANCELLED),
  a_deadline_ends_the_call_at_both_ends: () =>
    givenUp({ deadline: Date.now() + 1000 }, 'some', () => {}, grpc.status.DEADLINE_EXCEEDED),
  messages_are_compressed: compressed,
  a_message_of_64_mib_goes_both_ways: large,
  a_blocked_call_says_why: blocked,
}, () => process.exit(0));
