// Streams of messages whose ends write down what they sent and got, a line each: `WHO sent|got HEX`.
// Servers: `messages.js http|grpc CERTIFICATE KEY ADDRESS LOG`; clients: `messages.js sse|websocket|talk`, which print it.
'use strict';
const fs = require('fs');
const http2 = require('http2');
const https = require('https');
const zlib = require('zlib');
const grpc = require('@grpc/grpc-js');
const { WebSocket, WebSocketServer } = require('ws');

const [what, certificate, key, address, log] = process.argv.slice(2);

function note(who, did, data) {
  const line = `${who} ${did} ${Buffer.from(data).toString('hex')}\n`;
  if (log) fs.appendFileSync(log, line);
  else process.stdout.write(line);
}

const identity = (buffer) => buffer;
const Talk = {
  Converse: {
    path: '/lab.Talk/Converse', requestStream: true, responseStream: true,
    requestSerialize: identity, requestDeserialize: identity, responseSerialize: identity, responseDeserialize: identity,
  },
};

// Sizes from nothing to more than a frame, of HTTP/2 and of TLS.
const messages = Array.from({ length: 24 }, (_, at) => Buffer.alloc((at * at * 97) % 50_000, `message ${at} `));

const chunk = (text) => JSON.stringify({
  id: 'c1', object: 'chat.completion.chunk', model: 'lab', choices: [{ index: 0, delta: { content: text }, finish_reason: null }],
});

// The smallest picture: two by three pixels, all of them transparent.
const png = Buffer.concat([
  Buffer.from('89504e470d0a1a0a0000000d494844520000000200000003080600000000000000', 'hex'), Buffer.from('IDAT and the rest'),
]);
const text = JSON.stringify({ kept: ['as', 'it', 'came'], number: 1.50 });
const coded = (coding, content) => ({ fields: { 'content-type': 'application/json', 'content-encoding': coding }, content });
const bodies = {
  '/gzip': coded('gzip', zlib.gzipSync(text)),
  '/deflate': coded('deflate', zlib.deflateSync(text)),
  '/br': coded('br', zlib.brotliCompressSync(text)),
  // Not in this Node's library: one frame with one block of bytes as they are (RFC 8878 section 3.1.1).
  '/zstd': coded('zstd', Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, text.length]),
    Buffer.from([1 | (text.length << 3) & 0xff, (text.length << 3) >> 8, 0]), Buffer.from(text),
  ])),
  '/png': { fields: { 'content-type': 'image/png' }, content: png },
  '/upload': { fields: { 'content-type': 'text/plain; charset=iso-8859-1' }, content: Buffer.from('gr\u00fcn', 'latin1') },
  '/parts': { fields: { 'content-type': 'text/plain' }, content: Buffer.from('both') },
  '/bytes': { fields: { 'content-type': 'application/octet-stream' }, content: Buffer.from([0, 1, 2, 0xfe, 0xff]) },
};

const servers = {
  http() {
    const pair = { key: fs.readFileSync(key), cert: fs.readFileSync(certificate), allowHTTP1: true };
    const server = http2.createSecureServer(pair, (request, response) => {
      const body = bodies[request.url];
      if (body) {
        // An answer before the end of the request has curl of Debian 12 wait for ever now and then.
        request.on('end', () => {
          response.writeHead(200, body.fields);
          response.end(body.content);
        });
        return request.resume();
      }
      const gzip = request.headers['accept-encoding'] === 'gzip';
      response.setHeader('content-type', 'text/event-stream; charset=utf-8');
      if (gzip) response.setHeader('content-encoding', 'gzip');
      const out = gzip ? zlib.createGzip() : response;
      if (gzip) out.pipe(response);
      const words = ['Once', ' upon', ' a', ' tïme', ' … the', ' end'];
      const blocks = words.map((word) => `data: ${chunk(word)}`).concat([': a comment\nevent: ping\ndata: {}', 'data: [DONE]']);
      const next = () => {
        const block = blocks.shift();
        if (block === undefined) return out.end();
        note('server', 'sent', block);
        out.write(`${block}\n\n`);
        if (gzip) return out.flush(() => setImmediate(next));
        return setImmediate(next);
      };
      next();
    });
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 64 } });
    server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('message', (data, isBinary) => {
        note('server', 'got', data);
        note('server', 'sent', data);
        ws.send(data, { binary: isBinary });
      });
      ws.on('close', () => ws.terminate());
    }));
    server.listen(443, address, () => console.log('ready'));
  },
  grpc() {
    const server = new grpc.Server();
    server.addService(Talk, {
      Converse(call) {
        call.on('data', (data) => {
          note('server', 'got', data);
          note('server', 'sent', data);
          call.write(data);
        });
        call.on('end', () => call.end());
      },
    });
    const pair = { private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(certificate) };
    server.bindAsync(`${address}:443`, grpc.ServerCredentials.createSsl(null, [pair]), (error) => {
      if (error) throw error;
      console.log('ready');
    });
  },
};

const clients = {
  sse(coding) {
    https.get({ host: 'node.test', path: '/chat', headers: { 'accept-encoding': coding || 'identity' } }, (response) => {
      let text = '';
      const body = coding === 'gzip' ? response.pipe(zlib.createGunzip()) : response;
      body.setEncoding('utf8');
      body.on('data', (piece) => { text += piece; });
      body.on('end', () => text.split('\n\n').filter(Boolean).forEach((block) => note('client', 'got', block)));
    });
  },
  websocket() {
    const ws = new WebSocket('wss://node.test/socket');
    let got = 0;
    const send = (data) => {
      note('client', 'sent', data);
      ws.send(data);
    };
    const all = messages.concat(['text', 'tëxt'.repeat(100)]);
    ws.on('open', () => all.forEach(send));
    ws.on('message', (data) => {
      note('client', 'got', data);
      got += 1;
      if (got === all.length) ws.close(1000, 'over');
    });
  },
  talk() {
    const credentials = grpc.credentials.createSsl(fs.readFileSync(process.env.SSL_CERT_FILE));
    const client = new grpc.Client('grpc-js.test:443', credentials);
    const { path } = Talk.Converse;
    const call = client.makeBidiStreamRequest(path, identity, identity, new grpc.Metadata(), {});
    const waiting = [...messages];
    const send = () => {
      const data = waiting.shift();
      if (data === undefined) return call.end();
      note('client', 'sent', data);
      return call.write(data);
    };
    call.on('data', (data) => {
      note('client', 'got', data);
      send();
    });
    call.on('end', () => client.close());
    send();
  },
};

(servers[what] || clients[what])(certificate);
