// git-http-backend(1) behind HTTP, as a CGI program (RFC 3875).
'use strict';
const { spawn } = require('child_process');

exports.answer = (request, response, repositories, pathname, query) => {
  const backend = spawn('git', ['http-backend'], { env: environment(request, repositories, pathname, query) });
  backend.stderr.pipe(process.stderr);
  backend.stdin.on('error', () => {});
  request.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  backend.stdout.on('data', function collect(piece) {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    backend.stdout.off('data', collect);
    respond(response, head.subarray(0, end).toString());
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  });
};

function environment(request, repositories, pathname, query) {
  return {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: repositories,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_PROTOCOL: request.headers['git-protocol'] || '',
    PATH_INFO: pathname.slice('/git'.length),
    QUERY_STRING: query.toString(),
    REQUEST_METHOD: request.method,
    // Whoever is named may push.
    REMOTE_USER: 'lab',
    CONTENT_TYPE: request.headers['content-type'] || '',
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'] || '',
    ...(request.headers['content-length'] && { CONTENT_LENGTH: request.headers['content-length'] }),
  };
}

function respond(response, head) {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const [, name, value] = line.match(/^([^:]+): *(.*)$/);
    if (name.toLowerCase() === 'status') status = parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
}
