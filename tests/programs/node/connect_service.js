// `lab.Talk` for Connect, gRPC and gRPC-Web. A gate's name comes in the header `gate`.
'use strict';
const { Code, ConnectError } = require('@connectrpc/connect');
const { connectNodeAdapter } = require('@connectrpc/connect-node');

const gates = require('./gates.js');
const { Talk } = require('./schema.js');

const talk = {
  // The message back; headers `x-…` as headers and, with `trail-` before, as trailers.
  unary(piece, context) {
    if (piece.text === 'fail') throw new ConnectError('as asked: é', Code.FailedPrecondition, { 'x-why': 'asked' });
    for (const [name, value] of context.requestHeader) {
      if (!name.startsWith('x-')) continue;
      context.responseHeader.set(name, value);
      context.responseTrailer.set(`trail-${name}`, value);
    }
    return piece;
  },
  // All texts in one; the gate is opened with the first.
  async collect(pieces, context) {
    let text = '';
    for await (const piece of pieces) {
      text += piece.text;
      gates.open(context.requestHeader.get('gate'), piece.text);
    }
    return { text };
  },
  // Twice; the second time when the gate is opened.
  async* follow(piece, context) {
    context.responseTrailer.set('x-count', '2');
    yield { text: `${piece.text} one` };
    await gates.opened(context.requestHeader.get('gate'));
    yield { text: `${piece.text} two` };
  },
  // Each back as it comes.
  async* converse(pieces, context) {
    let count = 0;
    for await (const piece of pieces) {
      count += 1;
      yield piece;
    }
    context.responseTrailer.set('x-count', String(count));
  },
};

exports.answer = connectNodeAdapter({ routes: (router) => router.service(Talk, talk) });
