// Times server-sent events and WebSocket messages: `latency.js serve CERT KEY`, `latency.js sse|websocket COUNT`.
// The client prints one duration a line, in microseconds. Both sides read the machine's one monotonic clock.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');

const [what, first, second] = process.argv.slice(2);
const WARM = 200;

function micros(since) {
  return Number(process.hrtime.bigint() - since) / 1000;
}

function serve(cert, key) {
  const server = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write(`data: ${process.hrtime.bigint()}\n\n`), 1);
    response.on('close', () => clearInterval(timer));
  });
  server.on('upgrade', (request, socket) => {
    const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    const accept = crypto.createHash('sha1').update(key).digest('base64');
    socket.setNoDelay(true);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
    // Each frame is the client's one of six bytes and no more: mask zero, text of two bytes.
    socket.on('data', () => socket.write(Buffer.from([0x81, 2, 104, 105])));
    socket.on('error', () => {});
  });
  server.listen(443, '::', () => console.log('ready'));
}

function report(durations) {
  console.log(durations.slice(WARM).join('\n'));
  process.exit(0);
}

function sse(count) {
  const durations = [];
  https.get('https://stream.test/', (response) => response.on('data', (data) => {
    for (const [, sent] of data.toString().matchAll(/data: (\d+)\n\n/g)) durations.push(micros(BigInt(sent)));
    if (durations.length >= count + WARM) report(durations);
  }));
}

function websocket(count) {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64') };
  https.get('https://stream.test/', { headers }).on('upgrade', (response, socket) => {
    const durations = [];
    let sent;
    socket.setNoDelay(true);
    const send = () => {
      sent = process.hrtime.bigint();
      socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 104, 105]));
    };
    socket.on('data', () => {
      durations.push(micros(sent));
      if (durations.length >= count + WARM) report(durations); else send();
    });
    send();
  });
}

({ serve, sse: (count) => sse(Number(count)), websocket: (count) => websocket(Number(count)) })[what](first, second);
