// The service `lab.Echo`: messages are bytes.
'use strict';

const bytes = (message) => message;

function method(name, requestStream, responseStream) {
  const serialization = {
    requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes,
  };
  return { path: `/lab.Echo/${name}`, requestStream, responseStream, ...serialization };
}

exports.Echo = {
  Unary: method('Unary', false, false),
  Collect: method('Collect', true, false),
  Follow: method('Follow', false, true),
  Converse: method('Converse', true, true),
  Hang: method('Hang', false, true),
  Open: method('Open', false, false),
  Wait: method('Wait', false, false),
};
