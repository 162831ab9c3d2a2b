// WebSocket over HTTP/1.1 (RFC 6455) and HTTP/2 (RFC 8441): it echoes, and does what some messages ask it to do.
'use strict';
const { WebSocket, WebSocketServer } = require('ws');

const gates = require('./gates.js');

// Every message is compressed if the client can take it.
const upgrades = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has('lab') ? 'lab' : false),
});

exports.attach = (server) => {
  server.on('upgrade', (request, socket, head) => {
    upgrades.handleUpgrade(request, socket, head, (ws) => serve(ws, request));
  });
  server.on('connect', (request, response) => {
    if (request.headers[':protocol'] !== 'websocket') return response.stream.close();
    response.stream.respond({ ':status': 200, 'sec-websocket-protocol': 'lab' });
    // `ws` knows no HTTP/2: a WebSocket of the server's side is made by hand and given the stream as its socket.
    const ws = new WebSocket(null, undefined, { autoPong: true });
    ws.setSocket(response.stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0 });
    serve(ws, request);
  });
};

function serve(ws, request) {
  const gate = new URL(request.url, 'https://node.test').searchParams.get('gate');
  ws.on('error', () => {});
  ws.on('message', (data, isBinary) => {
    const order = isBinary ? undefined : orders[data.toString()];
    if (order) order(ws, request, gate);
    else ws.send(data, { binary: isBinary });
  });
  ws.on('close', (code, reason) => gates.open(`${gate} closed`, `${code} ${reason}`));
}

const orders = {
  how: (ws, request) => ws.send(`${request.httpVersion} ${ws.protocol || 'lab'} ${ws.extensions}`),
  close: (ws) => ws.close(4001, 'as asked'),
  ping: (ws) => {
    ws.once('pong', (data) => ws.send(`pong ${data}`));
    ws.ping('from the server');
  },
  // One message in two fragments; the second when the gate is opened.
  fragments: async (ws, request, gate) => {
    ws.send('one ', { fin: false });
    await gates.opened(gate);
    ws.send('two', { fin: true });
  },
};
