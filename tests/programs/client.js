// A client that checks one thing: `client.js WHAT`. It fails by an exception.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const http2 = require('http2');
const https = require('https');

const ORIGIN = 'https://stream.test';
const what = process.argv[2];

// Starts a request; both versions give { response, body stream, request stream, trailers() }.
function http1(path, options = {}) {
  const request = https.request(ORIGIN + path, { agent: false, ...options });
  const response = new Promise((resolve, reject) => request.on('response', resolve).on('error', reject));
  return { request, response, trailers: async () => (await response).trailers };
}

let session;
function http2Request(path, options = {}) {
  session ??= http2.connect(ORIGIN);
  const stream = session.request({ ':path': path, ':method': options.method || 'GET' },
    { endStream: !options.method, waitForTrailers: Boolean(options.trailers) });
  let received = {};
  stream.on('trailers', (trailers) => { received = trailers; });
  if (options.trailers) stream.on('wantTrailers', () => stream.sendTrailers(options.trailers));
  return { request: stream, response: Promise.resolve(stream), trailers: async () => received };
}

async function rest(stream) {
  let text = '';
  for await (const piece of stream) text += piece;
  return text;
}

function next(stream) {
  return new Promise((resolve, reject) => stream.once('data', resolve).once('error', reject));
}

async function streaming(open) {
  const { request, response } = open('/stream');
  if (open === http1) request.end();
  const stream = await response;
  assert.strictEqual((await next(stream)).toString(), 'one\n');
  stream.pause();
  const release = open('/release');
  if (open === http1) release.request.end();
  assert.strictEqual(await rest(await release.response), 'released\n');
  assert.strictEqual(await rest(stream), 'two\n');
}

async function duplex(open) {
  const { request, response } = open('/echo', { method: 'POST' });
  request.write('first');
  const stream = await response;
  assert.strictEqual((await next(stream)).toString(), 'first');
  const second = next(stream);
  request.write('second');
  assert.strictEqual((await second).toString(), 'second');
  request.end();
  assert.strictEqual(await rest(stream), '');
}

async function trailers(open) {
  const options = { method: 'POST', trailers: { 'x-sum': 'abc' } };
  if (open === http1) options.headers = { Trailer: 'x-sum', TE: 'trailers', 'Transfer-Encoding': 'chunked' };
  const { request, response, trailers: received } = open('/echo', options);
  request.write('body');
  if (open === http1) request.addTrailers({ 'x-sum': 'abc' });
  request.end();
  assert.strictEqual(await rest(await response), 'body');
  assert.strictEqual((await received())['x-sum'], 'abc');
}

async function websocket() {
  const key = crypto.randomBytes(16).toString('base64');
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key };
  const request = https.request(ORIGIN + '/ws', { agent: false, headers, ALPNProtocols: ['http/1.1'] });
  request.end();
  const [response, socket] = await new Promise((resolve, reject) => {
    request.on('upgrade', (response, socket) => resolve([response, socket])).on('error', reject);
    request.on('response', (response) => reject(new Error(`no upgrade: ${response.statusCode}`)));
  });
  const accept = crypto.createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  assert.strictEqual(response.headers['sec-websocket-accept'], accept);
  for (const text of ['one', 'two']) {
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
    const echo = next(socket);
    socket.write(frame);
    assert.deepStrictEqual(await echo, frame);
  }
  socket.destroy();
}

async function reset() {
  const { request } = http2Request('/reset');
  await new Promise((resolve) => request.on('close', resolve).on('error', () => {}));
  assert.strictEqual(request.rstCode, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

async function informational() {
  const { request, response } = http1('/echo', { method: 'POST', headers: { Expect: '100-continue' } });
  request.flushHeaders();
  await new Promise((resolve, reject) => request.on('continue', resolve).on('error', reject));
  request.end('body');
  assert.strictEqual(await rest(await response), 'body');
}

const checks = {
  'http1-streaming': () => streaming(http1),
  'http2-streaming': () => streaming(http2Request),
  'http1-duplex': () => duplex(http1),
  'http2-duplex': () => duplex(http2Request),
  'http1-trailers': () => trailers(http1),
  'http2-trailers': () => trailers(http2Request),
  'websocket': websocket,
  'http2-reset': reset,
  'http1-continue': informational,
};

setTimeout(() => { console.error('nothing happened for 20 s'); process.exit(1); }, 20000).unref();
checks[what]().then(() => {
  console.log(`${what} is right`);
  if (session) session.destroy();
}).catch((error) => { console.error(error); process.exit(1); });
