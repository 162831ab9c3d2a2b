"""Servers that send more than anybody takes. Opens 64 bodies of a gibibyte each that the child does not read, on one
connection or on 64, until nothing more is taken; says `stalled`; waits for a line; then ends the bodies where they are
and checks that the child gets every byte.

stall.py NET h1|h2|h2c CONNECTIONS
"""
import json, random, select, sys, time

import h2, http1
from ends import Failure, Net, Pair

BODIES = 64
SIZE = 1 << 30
PIECE = 16384
# Nothing has been taken for so long: nothing is going to be.
QUIET = 1.0
ROOM = 2**31 - 1


# Of a length that no buffer has: what is lost, repeated or moved shows.
BLOCK = random.Random(1).randbytes(65521)


def content(stream, offset, length):
    """What a body has there."""
    start = (offset + stream * 101) % len(BLOCK)
    return (BLOCK * (length // len(BLOCK) + 2))[start:][:length]


def same(stream, have, sent):
    """Says how a body differs from what was sent."""
    if have != content(stream, 0, sent):
        at = next((at for at, pair in enumerate(zip(have, content(stream, 0, sent))) if pair[0] != pair[1]), len(have))
        raise Failure(f"body {stream}: {len(have)} bytes of {sent}, right up to {at}")


class Http1Body:
    """A response in chunks."""

    REQUEST = b"GET / HTTP/1.1\r\nHost: conform.test\r\n\r\n"

    def __init__(self, pair, at):
        self.pair, self.at, self.sent = pair, at, 0

    def open(self):
        self.pair.child.send(self.REQUEST)
        self.pair.drive(lambda: self.pair.server and len(self.pair.server.got) >= len(self.REQUEST), "a request")
        self.pair.child.reads = False
        self.pair.server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def fill(self):
        if not self.pair.server.out and self.sent < SIZE:
            self.pair.server.send(b"%x\r\n%s\r\n" % (PIECE, content(self.at, self.sent, PIECE)))
            self.sent += PIECE

    def check(self):
        self.pair.server.send(b"0\r\n\r\n")
        child = self.pair.child
        child.reads = True
        self.pair.drive(lambda: child.got.endswith(b"\r\n0\r\n\r\n") or child.ended, "the end of a body")
        found = http1.messages(bytes(child.got), [b"GET"])[0]
        same(self.at, found[2], self.sent)


class Http2Bodies:
    """Responses on the streams of one connection; the child makes room for all of them and reads none."""

    def __init__(self, pair, streams):
        self.pair, self.streams, self.sent = pair, streams, dict.fromkeys(streams, 0)

    def open(self):
        child = h2.Http2(self.pair.child, True, [(4, ROOM)])
        child.end.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, (ROOM - 65535).to_bytes(4, "big")))
        self.pair.drive(lambda: self.pair.server, "the server's end")
        server = h2.Http2(self.pair.server, False, [(3, 200)])
        self.child, self.server = child, server
        child.credits = False
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", "conform.test")]

        def step():
            child.take()
            server.take()
            return child.is_open and server.is_open and all(("end", None) in server.log.get(one, []) for one in self.streams)

        for stream in self.streams:
            child.head(stream, [*fields, (":path", f"/{stream}")], True)
        self.pair.drive(step, "requests")
        # Streams that begin at once may have other numbers at the server.
        self.asked = {one: int(dict(server.log[one][0][1])[b":path"][1:]) for one in self.streams}
        for stream in self.streams:
            server.head(stream, [(":status", "200")], False)
        self.pair.child.reads = False

    def fill(self):
        self.server.take()
        for stream in self.streams:
            room = min(self.server.windows[0], self.server.windows.setdefault(stream, self.server.initial), PIECE)
            if self.pair.server.out or self.sent[stream] >= SIZE or room <= 0:
                continue
            piece = content(self.asked[stream], self.sent[stream], room)
            self.server.windows[0] -= room
            self.server.windows[stream] -= room
            self.pair.server.send(h2.frame(h2.DATA, 0, stream, piece))
            self.sent[stream] += room

    def check(self):
        for stream in self.streams:
            self.server.later(stream, ("data", b"", True))
        self.pair.child.reads = self.child.credits = True

        def step():
            self.child.take()
            self.server.take()
            return self.pair.child.ended or all(("end", None) in self.child.log.get(one, []) for one in self.streams)

        self.pair.drive(step, "the ends of the bodies")
        for stream in self.streams:
            asked = self.asked[stream]
            have = b"".join(value for what, value in self.child.log[asked] if what == "data")
            same(asked, have, self.sent[stream])


def main():
    net, protocol, connections = Net(*json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    alpn = {"h1": "http/1.1", "h2": "h2", "h2c": None}[protocol]
    bodies = []
    for at in range(connections):
        pair = Pair(net, (f"198.51.100.{at + 1}", 80 if alpn is None else 443), alpn)
        pair.shake()
        streams = [2 * stream + 1 for stream in range(BODIES // connections)]
        bodies.append(Http1Body(pair, at) if protocol == "h1" else Http2Bodies(pair, streams))
        bodies[-1].open()
    fill(bodies)
    print("stalled", flush=True)
    sys.stdin.readline()
    for body in bodies:
        body.check()
    total = sum(body.sent if protocol == "h1" else sum(body.sent.values()) for body in bodies)
    print(f"{total} bytes", flush=True)


def fill(bodies):
    """Sends until nothing more is taken."""
    since = time.monotonic()
    while time.monotonic() - since < QUIET:
        for body in bodies:
            before = len(body.pair.server.out), str(body.sent)
            body.fill()
            for end in body.pair.ends():
                end.step()
            if (len(body.pair.server.out), str(body.sent)) != before:
                since = time.monotonic()
        poll = select.poll()
        for body in bodies:
            poll.register(body.pair.server.sock, body.pair.server.interest())
        poll.poll(20)


main()
