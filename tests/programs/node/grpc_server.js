// `lab.Echo` by @grpc/grpc-js: `grpc_server.js CERTIFICATE KEY ADDRESS`. It does what ../python/grpc_server.py does;
// messages are bytes, without a schema.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const gates = require('./gates.js');
const { Echo } = require('./grpc_echo.js');

const [certificate, key, address] = process.argv.slice(2);

// Metadata `x-…` of the request, with something before each name.
function echoed(call, before) {
  const metadata = new grpc.Metadata();
  for (const name of Object.keys(call.metadata.getMap()).filter((name) => name.startsWith('x-'))) {
    for (const value of call.metadata.get(name)) metadata.add(before + name, value);
  }
  return metadata;
}

const gate = (call) => call.metadata.get('gate')[0];

const echo = {
  Unary(call, answer) {
    call.sendMetadata(echoed(call, ''));
    const failure = call.metadata.get('x-fail')[0];
    if (failure) return answer({ code: grpc.status.FAILED_PRECONDITION, details: failure, metadata: echoed(call, 'trail-') });
    return answer(null, call.request, echoed(call, 'trail-'));
  },
  Collect(call, answer) {
    const pieces = [];
    call.on('data', (piece) => {
      pieces.push(piece);
      gates.open(gate(call), piece.toString());
    });
    call.on('end', () => answer(null, Buffer.concat(pieces)));
  },
  async Follow(call) {
    call.write(Buffer.concat([call.request, Buffer.from(' one')]));
    await gates.opened(gate(call));
    call.write(Buffer.concat([call.request, Buffer.from(' two')]));
    call.end(echoed(call, 'trail-'));
  },
  Converse(call) {
    let count = 0;
    call.on('data', (piece) => {
      count += 1;
      call.write(piece);
    });
    call.on('end', () => {
      const trailers = new grpc.Metadata();
      trailers.set('x-count', String(count));
      call.end(trailers);
    });
  },
  // Never ends by itself; the gate is opened when the client has given up.
  Hang(call) {
    const metadata = new grpc.Metadata();
    metadata.set('x-deadline', call.getDeadline() === Infinity ? 'none' : 'some');
    call.sendMetadata(metadata);
    call.on('cancelled', () => gates.open(gate(call), 'cancelled'));
  },
  Open(call, answer) {
    gates.open(call.request.toString());
    answer(null, Buffer.alloc(0));
  },
  async Wait(call, answer) {
    answer(null, Buffer.from(await gates.opened(call.request.toString())));
  },
};

const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
server.addService(Echo, echo);
const pair = { private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(certificate) };
server.bindAsync(`${address}:443`, grpc.ServerCredentials.createSsl(null, [pair]), (error) => {
  if (error) throw error;
  console.log('ready');
});
