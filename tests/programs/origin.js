// An origin for what nginx does not do: streams that wait, trailers, upgrades, resets. HTTP/1.1 and HTTP/2 on 443.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');

const [cert, key] = process.argv.slice(2);
let waiting = [];

const routes = {
  // The second half comes when somebody asks for /release.
  '/stream': (request, response) => {
    response.write('one\n');
    waiting.push(() => response.end('two\n'));
  },
  '/release': (request, response) => {
    for (const go of waiting.splice(0)) go();
    response.end('released\n');
  },
  // Body and trailers of the request become those of the response, piece by piece.
  '/echo': (request, response) => {
    if (request.httpVersion === '1.1') response.setHeader('Trailer', 'x-sum');
    request.on('data', (piece) => response.write(piece));
    request.on('end', () => {
      response.addTrailers({ 'x-sum': request.trailers['x-sum'] || 'none' });
      response.end();
    });
  },
  '/reset': (request, response) => response.stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM),
  '/broken': (request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('one\n');
    setTimeout(() => (response.stream || request).destroy(new Error('broken')), 50);
  },
};

const server = http2.createSecureServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key), allowHTTP1: true });
server.on('request', (request, response) => routes[request.url](request, response));
server.on('upgrade', (request, socket) => {
  const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 section 1.3
  const accept = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + guid).digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.pipe(socket);
});
server.on('sessionError', () => {});
process.on('uncaughtException', (error) => console.error(error.message));
server.listen(443, '::', () => console.log('ready'));
