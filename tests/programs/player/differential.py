"""Plays random exchanges, the same for the same seed, with both ends in hand, and prints what each end received.

differential.py NET VERSION SEEDS    VERSION is h1 or h2; SEEDS a JSON list. Prints a JSON object: seed to record.
"""
import concurrent.futures, hashlib, json, random, sys

import h2, http1
from ends import Net, Pair

WORDS = ["alpha", "Beta", "x-Gamma", "delta-4", "e", "Content-Kind", "if-none-match", "accept", "X-Trace"]


def text(rng, most):
    return "".join(rng.choice("abc XYZ=;,0123456789\"'()<>@/[]{}\t%&") for _ in range(rng.randint(0, most))).strip()


def fields(rng):
    return [(rng.choice(WORDS), text(rng, 60)) for _ in range(rng.randint(0, 8))]


def pieces(rng, data):
    """Cuts at random; now and then a piece of a megabyte stays whole."""
    while data:
        length = rng.choice([1, 2, 7, 100, 1400, 16384, len(data)])
        yield data[:length]
        data = data[length:]


def content(rng):
    return rng.randbytes(rng.choice([0, 1, 5, 300, 5000, 70_000]))


# HTTP/1: what is sent, in order; each message arrives before the next is sent.


def body1(rng, chunked_too):
    """Fields and bytes of a body, in one of the ways to frame it."""
    data = content(rng)
    if not chunked_too or rng.random() < 0.5:
        return [("Content-Length", str(len(data)))], data
    out = b""
    for piece in pieces(rng, data):
        out += b"%x%s\r\n%s\r\n" % (len(piece), rng.choice([b"", b";a=b", b";c"]), piece)
    trailers = rng.choice([b"", b"X-Sum: 1\r\n"])
    announced = [("Trailer", "X-Sum")] if trailers else []
    return [("Transfer-Encoding", "chunked"), *announced], out + b"0\r\n" + trailers + b"\r\n"


def message1(line, head, body):
    return "".join([line, "\r\n", *(f"{name}: {value}\r\n" for name, value in head), "\r\n"]).encode() + body


def conversation1(rng):
    """Who sends what: requests and their responses."""
    for _ in range(rng.randint(2, 6)):
        method = rng.choice(["GET", "POST", "PUT", "HEAD", "DELETE", "BREW"])
        framing, body = body1(rng, True) if method in ("POST", "PUT") else ([], b"")
        head = [("Host", "conform.test"), *fields(rng), *framing]
        head += [("TE", "trailers")]
        yield "child", message1(f"{method} /{rng.randint(0, 999)}?q={rng.randint(0, 9)} HTTP/1.1", head, body)
        status = rng.choice([200, 201, 204, 304, 404, 500, 299])
        framing, body = body1(rng, True)
        if status in (204, 304):
            framing, body = [], b""
        if method == "HEAD":
            framing, body = [("Content-Length", "17")] if status not in (204, 304) else [], b""
        yield "server", message1(f"HTTP/1.1 {status} Because", [*fields(rng), *framing], body)


def play1(net, seed, address):
    rng = random.Random(seed)
    moves = list(conversation1(rng))
    came = {"child": bytearray(), "server": bytearray()}
    meant = {"child": bytearray(), "server": bytearray()}
    pair = Pair(net, (address, 443), "http/1.1")
    pair.shake()
    for who, data in moves:
        other = "server" if who == "child" else "child"
        meant[who] += data
        for piece in pieces(rng, data):
            getattr(pair, who).send(piece)
        requests = None if who == "child" else bytes(meant["child"])

        def arrived():
            end = getattr(pair, other)
            came[who].extend(end.got)
            end.got.clear()
            same = came[who] == meant[who] or http1.alike(bytes(meant[who]), bytes(came[who]), requests)
            return same or end.ended

        pair.drive(arrived, f"seed {seed}: what `{who}` sent")
    pair.close()
    asked = http1.methods(bytes(came["child"]))
    meaning = [http1.meaning(http1.messages(bytes(came["child"]))), http1.meaning(http1.messages(bytes(came["server"]), asked))]
    return {"exact": [digest(came["child"]), digest(came["server"])], "alike": digest(repr(meaning).encode())}


# HTTP/2: what either end does, in order; frames are cut and padded at random.


def fields2(rng):
    return [(name.lower(), value) for name, value in fields(rng)]


def conversation2(rng):
    """Operations on streams, a few of which are open at once."""
    last, asked, answered = 1, [], []
    for _ in range(rng.randint(20, 60)):
        what = rng.choice(["ask", "ask", "answer", "answer", "child", "server", "reset"])
        if what == "ask" and len(asked) + len(answered) < 8:
            start = [(":method", rng.choice(["GET", "POST"])), (":scheme", "https"), (":authority", "conform.test"), (":path", f"/{last}")]
            ends = rng.random() < 0.5
            yield "child", "head", last, [*start, *fields2(rng)], ends
            asked.append((last, ends))
            last += 2
        elif what == "answer" and asked:
            stream, ended = asked.pop(rng.randrange(len(asked)))
            if rng.random() < 0.2:
                yield "server", "head", stream, [(":status", "103"), *fields2(rng)], False
            yield "server", "head", stream, [(":status", rng.choice(["200", "404", "503"])), *fields2(rng)], False
            answered.append((stream, ended))
        elif what == "child" and asked and not asked[-1][1]:
            stream, _ = asked.pop()
            yield "child", "data", stream, content(rng).decode("latin-1"), False
            yield "child", "data", stream, content(rng).decode("latin-1"), True
            asked.append((stream, True))
        elif what == "server" and answered:
            stream, ended = answered.pop(rng.randrange(len(answered)))
            yield "server", "data", stream, content(rng).decode("latin-1"), False
            if not ended:
                yield "child", "data", stream, "", True
            if rng.random() < 0.5:
                yield "server", "head", stream, [("grpc-status", "0"), *fields2(rng)], True
            else:
                yield "server", "data", stream, content(rng).decode("latin-1"), True
        elif what == "reset" and answered:
            stream, _ = answered.pop(rng.randrange(len(answered)))
            yield rng.choice(["child", "server"]), "reset", stream, rng.randint(1, 13)


def play2(net, seed, address):
    rng = random.Random(seed)
    pair = Pair(net, (address, 443), "h2")
    pair.shake()
    peers = {
        "child": h2.Http2(pair.child, True, [(4, 1 << 24)], random.Random(seed + 1)),
        "server": h2.Http2(pair.server, False, [(3, 100), (4, 1 << 24)], random.Random(seed + 2)),
    }
    for peer in peers.values():
        # Room enough for all: no frame's place depends on time.
        peer.credits = False
        peer.end.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, (1 << 28).to_bytes(4, "big")))

    def drive(done, what):
        def step():
            for peer in peers.values():
                peer.take()
            return done()

        pair.drive(step, f"seed {seed}: {what}")

    drive(lambda: all(peer.is_open and peer.windows[0] > 65535 for peer in peers.values()), "settings")
    for who, operation, stream, *rest in conversation2(rng):
        sender, receiver = peers[who], peers["server" if who == "child" else "child"]
        getattr(sender, operation)(stream, *rest)
        drive(lambda: receiver.log.get(stream) == sender.sent[stream] or pair.child.ended, f"`{who}`, {operation} on {stream}")
    pair.close()
    logs = {who: sorted(peer.log.items()) for who, peer in peers.items()}
    return {"exact": [digest(repr(peers[who].frames).encode()) for who in peers], "alike": digest(repr(logs).encode())}


def digest(data):
    return f"{len(data)} bytes, {hashlib.sha256(bytes(data)).hexdigest()}"


def main():
    net, version, seeds = Net(*json.loads(sys.argv[1])), sys.argv[2], json.loads(sys.argv[3])
    play = play1 if version == "h1" else play2
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        records = pool.map(lambda at: play(net, seeds[at], f"198.51.100.{at + 1}"), range(len(seeds)))
        print(json.dumps(dict(zip(map(str, seeds), records))))


main()
