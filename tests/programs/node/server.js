// The origin of the clients' suites: `server.js CERTIFICATE KEY ADDRESS REPOSITORIES`. HTTP/1.1 and HTTP/2 on port 443
// of the address, with WebSocket over both, Connect, gRPC-Web and git beside what is below.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const path = require('path');

const { BLOB } = require('./checks.js');
const connect = require('./connect_service.js');
const gates = require('./gates.js');
const git = require('./git.js');
const websocket = require('./websocket.js');

const [certificate, key, address, repositories] = process.argv.slice(2);

const routes = {
  // How the request arrived is in headers.
  '/hello': (request, response) => response.end('hello\n'),
  '/blob': (request, response) => response.end(BLOB),
  '/open': (request, response, query) => {
    gates.open(query.get('gate'), query.get('value') || '');
    response.end('open\n');
  },
  '/wait': async (request, response, query) => response.end(await gates.opened(query.get('gate'))),
  // Two halves; the second when the gate is opened.
  '/stream': async (request, response, query) => {
    response.write('one\n');
    await gates.opened(query.get('gate'));
    response.end('two\n');
  },
  // The body as it was; the gate is opened when its first bytes are here.
  '/collect': async (request, response, query) => {
    const pieces = [];
    for await (const piece of request) {
      pieces.push(piece);
      gates.open(query.get('gate'), piece.toString());
    }
    response.end(Buffer.concat(pieces));
  },
  // Each piece back as it comes.
  '/echo': (request, response) => {
    response.writeHead(200);
    request.pipe(response);
  },
  '/sum': async (request, response) => {
    const digest = crypto.createHash('sha256');
    for await (const piece of request) digest.update(piece);
    response.end(`${digest.digest('hex')}\n`);
  },
  '/trailers': (request, response) => {
    if (request.httpVersion === '1.1') response.setHeader('Trailer', 'x-sum');
    response.write('body\n');
    response.addTrailers({ 'x-sum': 'abc' });
    response.end();
  },
  '/early': (request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    response.end('late\n');
  },
  // Server-sent events (WHATWG HTML section 9.2); the second when the gate is opened, then the end.
  '/events': async (request, response, query) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write('id: 1\ndata: one\n\n');
    await gates.opened(query.get('gate'));
    response.end('id: 2\nevent: named\ndata: two\ndata: lines\n\n');
  },
  // HTTP/2 alone: half an answer, then a reset with this code.
  '/reset': async (request, response, query) => {
    response.write('half');
    await gates.opened(query.get('gate'));
    response.stream.close(Number(query.get('code')));
  },
  // HTTP/2 alone: half an answer; the gate is opened with the code of the client's reset.
  '/held': (request, response, query) => {
    response.write('half');
    response.stream.on('close', () => gates.open(query.get('gate'), String(response.stream.rstCode)));
  },
  '/page.html': (request, response) => file(response, 'page.html', 'text/html; charset=utf-8'),
  '/page.js': (request, response) => file(response, 'page.js', 'text/javascript'),
};

function file(response, name, type) {
  response.writeHead(200, { 'content-type': type });
  response.end(fs.readFileSync(path.join(__dirname, '../browser', name)));
}

function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'https://node.test');
  response.setHeader('x-version', request.httpVersion);
  response.setHeader('x-port', request.socket.remotePort);
  if (pathname.startsWith('/git/')) return git.answer(request, response, repositories, pathname, searchParams);
  const route = Object.hasOwn(routes, pathname) ? routes[pathname] : connect.answer;
  return Promise.resolve(route(request, response, searchParams)).catch((error) => console.error(pathname, error));
}

const server = http2.createSecureServer({
  cert: fs.readFileSync(certificate),
  key: fs.readFileSync(key),
  allowHTTP1: true,
  // httpx sends one request at a time to a server that does not say how many it takes.
  settings: { enableConnectProtocol: true, maxConcurrentStreams: 100 },
});
server.on('request', answer);
websocket.attach(server);
server.on('sessionError', () => {});
process.on('uncaughtException', (error) => console.error(error));
server.listen(443, address, () => console.log('ready'));
