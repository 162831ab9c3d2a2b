// `echo_many.js COUNT`: so many POSTs with a body of their own over one connection to https://origin.test, 100 at once.
'use strict';
const http2 = require('http2');

const count = Number(process.argv[2]);
const session = http2.connect('https://origin.test');
let begun = 0;
let ended = 0;

function next() {
  if (begun === count) return;
  begun += 1;
  const body = `{"number": ${begun}, "text": "needle ${begun} in a stack of hay ${'hay '.repeat(50)}"}`;
  const stream = session.request({ ':path': '/grpc', ':method': 'POST', 'content-type': 'application/json' });
  stream.on('error', (error) => { throw error; });
  stream.on('close', () => {
    ended += 1;
    if (ended === count) session.close();
    else next();
  });
  stream.resume();
  stream.end(body);
}

for (let at = 0; at < 100; at += 1) next();
