-- The capture of one session. Times are microseconds since 1970 (UTC); sizes are bytes. `docs/capture.md` explains it.
CREATE TABLE session (
  name  TEXT PRIMARY KEY,       -- schema, session, agent, started, mode, command, redacted, unrecorded_bytes, ...
  value ANY
) STRICT, WITHOUT ROWID;

-- One row for each connection of the child that the proxy accepted.
CREATE TABLE connections (
  id          INTEGER PRIMARY KEY,
  accepted    INTEGER NOT NULL,
  closed      INTEGER,          -- NULL while it is open, and after a worker was killed
  child       TEXT NOT NULL,    -- address and port
  destination TEXT NOT NULL,    -- what the child dialled
  host        TEXT,             -- the server name or Host that it asked for
  carried     TEXT,             -- tls, http, relay or pass-through
  reason      TEXT,             -- why it was relayed, passed through or refused
  verdict     TEXT,             -- of one that was not read: block, and where there are rules passthrough
  rule        TEXT,
  rules       TEXT,             -- SHA-256 of the rules in force, empty without any
  pid         INTEGER,
  process     TEXT,             -- the thread's name
  executable  TEXT,
  uid         INTEGER,
  connected   INTEGER,          -- when the server was connected
  connect_us  INTEGER,          -- how long that took
  sni         TEXT,
  alpn        TEXT,
  verified    INTEGER,          -- 1 if the server's certificate was found good
  child_tls   TEXT,             -- version and cipher suite towards the child
  child_resumed INTEGER,
  child_tls_us  INTEGER,
  server_tls  TEXT,             -- the same towards the server
  server_resumed INTEGER,
  server_tls_us  INTEGER,
  certificates TEXT,            -- JSON: SHA-256 of each of the server's certificates, its own first
  error       TEXT
) STRICT;

-- One row for each connection that the kernel saw, those that the proxy never did included; bytes with the link layer's.
CREATE TABLE flows (
  id          INTEGER PRIMARY KEY,
  opened      INTEGER,
  closed      INTEGER,
  child       TEXT NOT NULL,
  destination TEXT NOT NULL,
  state       TEXT NOT NULL,    -- open, closed or reset
  bytes_out   INTEGER,          -- from the child, once it is over
  bytes_in    INTEGER,
  packets_out INTEGER,
  packets_in  INTEGER
) STRICT;
CREATE INDEX flows_open ON flows(child) WHERE closed IS NULL;

CREATE TABLE certificates (
  sha256 TEXT PRIMARY KEY,
  der    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each request and what became of it.
CREATE TABLE exchanges (
  id             INTEGER PRIMARY KEY,
  connection     INTEGER NOT NULL REFERENCES connections(id),
  started        INTEGER NOT NULL,  -- when the request's head had come
  sent           INTEGER,           -- when the request was complete
  answered       INTEGER,           -- when the response's head had come
  received       INTEGER,           -- when the response was complete
  finished       INTEGER,           -- when the exchange was over, whichever way
  version        TEXT NOT NULL,
  method         TEXT NOT NULL,
  scheme         TEXT NOT NULL,
  authority      TEXT NOT NULL,
  host           TEXT NOT NULL,
  path           TEXT NOT NULL,
  request_head   TEXT NOT NULL,     -- JSON: [[name, value], ...] as they were sent
  request_body   INTEGER REFERENCES bodies(id),
  request_size   INTEGER NOT NULL,  -- of the body, as it passed
  request_trailers TEXT,
  status         INTEGER,
  informational  TEXT,              -- JSON: [[status, [[name, value], ...]], ...]
  response_head  TEXT,
  response_body  INTEGER REFERENCES bodies(id),
  response_size  INTEGER NOT NULL,
  response_trailers TEXT,
  stream         TEXT,              -- grpc, grpc-web, grpc-web-text, connect, sse, websocket: see `messages`
  verdict        TEXT NOT NULL,     -- allow, block, mock; of a dry run, what enforce mode would do
  rule           TEXT,
  reason         TEXT,              -- why, if that was said
  rules          TEXT,              -- SHA-256 of the rules in force, empty without any
  error          TEXT
) STRICT;

-- Content of bodies, each once.
CREATE TABLE bodies (
  id      INTEGER PRIMARY KEY,
  sha256  TEXT UNIQUE,      -- of what was kept; NULL while it is still coming
  size    INTEGER NOT NULL, -- of what was kept
  cut     INTEGER NOT NULL, -- 1 if there was more
  coding  TEXT,             -- the content coding it still has; NULL: as the heads say
  content BLOB,             -- the content itself if it is small
  file    TEXT              -- or the file below `bodies/` that has it, zstd-compressed
) STRICT;

-- The messages of streams, in the order in which they passed.
CREATE TABLE messages (
  id        INTEGER PRIMARY KEY,
  exchange  INTEGER NOT NULL REFERENCES exchanges(id),
  direction TEXT NOT NULL,      -- request or response
  at        INTEGER NOT NULL,
  kind      TEXT NOT NULL,      -- message, event, text, binary, ping, pong, close, trailers, end-stream, malformed
  size      INTEGER NOT NULL,   -- on the wire
  cut       INTEGER NOT NULL,   -- 1 if payload is not all of it
  note      TEXT,               -- why payload is not decompressed, or what is wrong
  payload   BLOB NOT NULL       -- decompressed and unmasked
) STRICT;
CREATE INDEX messages_by_exchange ON messages(exchange);

CREATE TABLE dns (
  id        INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,   -- when it was answered or refused
  child     TEXT NOT NULL,
  transport TEXT NOT NULL,      -- udp or tcp
  name      TEXT,
  type      TEXT,
  rcode     TEXT,
  addresses TEXT,               -- JSON
  took_us   INTEGER,
  refused   TEXT,               -- why, if it was refused
  folded    INTEGER NOT NULL    -- so many more were refused for the same reason
) STRICT;

-- What the kernel refused, or the proxy refused to dial.
CREATE TABLE blocked (
  id          INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  protocol    INTEGER,
  destination TEXT NOT NULL,
  packets     INTEGER,
  folded      INTEGER,
  pid         INTEGER,
  process     TEXT
) STRICT;

-- Every other fact, as in the log.
CREATE TABLE events (
  id         INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  event      TEXT NOT NULL,
  connection INTEGER,
  exchange   INTEGER,
  json       TEXT NOT NULL
) STRICT;

-- TLS session secrets, as lines of a key log file.
CREATE TABLE secrets (
  id   INTEGER PRIMARY KEY,
  at   INTEGER NOT NULL,
  side TEXT NOT NULL,           -- child or upstream
  line TEXT NOT NULL
) STRICT;
