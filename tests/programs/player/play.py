"""Plays scripted connections with both ends in hand: the child's is dialled from here, the server's is lent by
`listen.py`. A case is a list of moves, each of which is over before the next begins: a piece arrives before another is
sent. Whatever is not expected is an error, after the last move as well.

play.py SCRIPT    prints, as JSON, for each case its name, its error if it failed, and whether all bytes arrived as sent.
"""
import concurrent.futures, json, sys, time, traceback

import h2, http1
from ends import Failure, Net, Pair


def text(data):
    return repr(bytes(data[:600])) + (f"... of {len(data)} bytes" if len(data) > 600 else "")


class Stream:
    """One direction: what was meant to arrive, and what did."""

    def __init__(self):
        self.meant, self.came = bytearray(), bytearray()


class Play:
    def __init__(self, net, case):
        self.case, self.loose = case, False
        self.pair = Pair(net, tuple(case["address"]), case["alpn"])
        self.streams = {"child": Stream(), "server": Stream()}
        self.is_h2 = case["alpn"] == "h2" or case["h2"]
        self.peers, self.seen = {}, []

    def run(self):
        try:
            self.pair.shake()
            for at, (move, *args) in enumerate(self.case["moves"]):
                try:
                    getattr(self, move)(*args)
                except Failure as error:
                    raise Failure(f"move {at}, {move}: {error}")
            if not self.loose:
                self.finish()
        finally:
            self.pair.close()
        return all(stream.meant == stream.came for stream in self.streams.values())

    def end(self, who):
        return getattr(self.pair, who)

    # What passes.

    def pass_(self, sender, pieces, meant):
        """Bytes from one end to the other."""
        receiver, stream = "server" if sender == "child" else "child", self.streams[sender]
        stream.meant += meant
        for piece in pieces:
            self.end(sender).send(piece)
        self.pair.drive(lambda: self.arrived(sender, receiver), f"`{receiver}` expects {text(meant)}")
        if not self.is_alike(sender):
            raise Failure(self.difference(stream, receiver))

    def arrived(self, sender, receiver):
        stream, end = self.streams[sender], self.end(receiver)
        if not end:
            return self.pair.child.ended
        stream.came += end.got
        end.got.clear()
        if self.is_alike(sender) or end.ended:
            return True
        return self.case["strict"] and not stream.meant.startswith(stream.came)

    def is_alike(self, sender):
        stream = self.streams[sender]
        if stream.meant == stream.came:
            return True
        requests = None if sender == "child" else bytes(self.streams["child"].meant)
        return not self.case["strict"] and http1.alike(bytes(stream.meant), bytes(stream.came), requests)

    def difference(self, stream, receiver):
        same = next((at for at, pair in enumerate(zip(stream.meant, stream.came)) if pair[0] != pair[1]), None)
        same = min(len(stream.meant), len(stream.came)) if same is None else same
        show = h2.shown if self.is_h2 else text
        start = 0 if self.is_h2 else max(0, same - 200)
        ended = self.end(receiver).ended if self.end(receiver) else "not connected"
        child = f"; the child has got {show(self.pair.child.got)}" if self.pair.child.got else ""
        return (f"`{receiver}` ({ended}), difference at {same}:\n  expected {show(stream.meant[start:])}"
                f"\n       got {show(stream.came[start:])}{child}")

    def child(self, *pieces):
        pieces = [piece.encode("latin-1") for piece in pieces]
        self.pass_("child", pieces, b"".join(pieces))

    def server(self, *pieces):
        pieces = [piece.encode("latin-1") for piece in pieces]
        self.pass_("server", pieces, b"".join(pieces))

    def sees(self, who, data):
        """What the other end has sent before arrives now, no further than this."""
        self.pass_("child" if who == "server" else "server", [], data.encode("latin-1"))

    def drip(self, who, data):
        self.pass_(who, [data[at : at + 1].encode("latin-1") for at in range(len(data))], data.encode("latin-1"))

    def fill(self, who, piece, times):
        data = piece.encode("latin-1") * times
        self.pass_(who, [data], data)

    def end_of(self, who):
        """One end says that it has sent all, and the other hears it."""
        other = "server" if who == "child" else "child"
        self.end(who).finish()
        self.hears(other, ("end",))

    def cut_of(self, who):
        """One end leaves without close_notify."""
        other = "server" if who == "child" else "child"
        self.end(who).tls = None
        self.end(who).finish()
        self.hears(other, ("cut", "reset"))

    def reset_of(self, who):
        other = "server" if who == "child" else "child"
        self.end(who).reset()
        self.hears(other, ("reset",))

    def gone(self, who):
        """One end resets the connection, and the other hears that it is over, in the middle of what it gets."""
        other = "server" if who == "child" else "child"
        self.end(who).reset()
        self.hears(other, ("reset", "cut", "end"))

    def concluded(self):
        """The server ends what ends with its connection, and the child gets the last chunk."""
        self.pair.server.finish()
        got = self.pair.child.got
        self.pair.drive(lambda: got or self.pair.child.ended, "the child expects the last chunk")
        if got != b"0\r\n\r\n":
            raise Failure(f"the child expects the last chunk: got {text(got)}")
        got.clear()

    def redial(self):
        """What follows goes over another connection to the server."""
        self.pair.server.close()
        self.pair.server = None

    def dies(self, who):
        """One end resets the connection; what the other makes of it is the next move's."""
        self.end(who).reset()

    def finish_of(self, who):
        """One end has sent all; whether the other hears it does not matter."""
        self.end(who).finish()

    def heard(self, who, *ends):
        """The connection is over for this end, in one of these ways."""
        self.pair.drive(lambda: self.end(who).ended, f"`{who}` expects {ends}")
        if self.end(who).ended not in ends:
            raise Failure(f"`{who}` expects {ends}: {self.end(who).ended}")
        self.loose = True

    def hears(self, who, ends):
        self.pair.drive(lambda: self.end(who) and (self.end(who).ended or self.end(who).got), f"`{who}` expects {ends}")
        end = self.end(who)
        if end.got or end.ended not in ends:
            raise Failure(f"`{who}` expects {ends}: got {text(end.got)}, {end.ended}")

    def finish(self):
        """Both ends end, and nothing else comes."""
        if self.peers:
            return self.finish_peers()
        for who, other in (("child", "server"), ("server", "child")):
            if not self.end(who) or not self.end(other):
                continue
            self.end(who).finish()
            self.pair.drive(lambda: self.end(other).ended or self.end(other).got, f"`{other}` expects the end")
            if self.end(other).got:
                raise Failure(f"`{other}` got more than it should: {text(self.end(other).got)}")

    def finish_peers(self):
        """The connection ends, and nobody understood more than was meant."""
        for who, other in (("child", "server"), ("server", "child")):
            self.end(who).finish()
            self.until(lambda: self.end(other).ended, f"`{other}` expects the end", to_the_end=True)
            log, sent = self.peers[other].log, self.peers[who].sent
            if more := [stream for stream in log if stream and log[stream] != sent.get(stream)]:
                raise Failure(f"`{other}` got more than it should on {more}: {log}")

    # What does not pass.

    def ask(self, data, times=1):
        """The child sends what need not arrive."""
        self.pair.child.send(data.encode("latin-1") * times)

    def tell(self, data):
        """The server sends what need not arrive."""
        self.pair.server.send(data.encode("latin-1"))

    def answered(self, start):
        """The child gets a response with a length, which is not the server's."""
        got, start = self.pair.child.got, start.encode("latin-1")

        def whole():
            found = http1.messages(bytes(got), [b"GET"])
            return self.pair.child.ended or found and len(found[0][2]) == int(http1.value(found[0][1], b"content-length"))

        self.pair.drive(whole, f"the child expects {start!r}; got {text(got)}")
        if not got.startswith(start):
            raise Failure(f"the child expects {start!r}: got {text(got)}")
        got.clear()

    def closed(self, start):
        """All that the child still gets begins so, and then its connection ends."""
        child = self.pair.child
        self.pair.drive(lambda: child.ended, f"the child expects {start!r} and the end")
        if not child.got.startswith(start.encode("latin-1")) or child.ended == "reset":
            raise Failure(f"the child expects {start!r} and the end: got {text(child.got)}, {child.ended}")
        child.finish()
        self.loose = True

    def untouched(self):
        """The server has got nothing, and no longer waits for anything."""
        self.pair.ends()
        if server := self.pair.server:
            self.pair.drive(lambda: server.ended or server.got, "the server expects the end")
            if server.got:
                raise Failure(f"the server got {text(server.got)}")

    def without(self, data):
        """The server has not got this, and no longer waits for it."""
        if server := self.pair.server:
            self.pair.drive(lambda: server.ended, "the server expects the end")
            if data.encode("latin-1") in server.got:
                raise Failure(f"the server got {text(server.got)}")

    def left(self, *who):
        """The connection is over, however, for these."""
        for one in who:
            self.pair.drive(lambda: self.end(one).ended, f"`{one}` expects the end")
        self.loose = True

    def frame(self, kind, stream, payload):
        """The child gets a frame that begins with this; what others come with it does not matter."""
        child, payload, got = self.pair.child, payload.encode("latin-1"), self.seen

        def there():
            found, length = h2.frames(child.got)
            del child.got[:length]
            got.extend(found)
            return child.ended or any(one[0] == kind and one[2] == stream for one in got)

        self.pair.drive(there, f"the child expects a frame of kind {kind} on {stream}")
        if not any(one[0] == kind and one[2] == stream and one[3].startswith(payload) for one in got):
            raise Failure(f"the child expects {h2.NAMES[kind]}({stream}) {payload}: got {got}, {child.ended}")

    def refused(self):
        """The child's stream is reset, or answered with a 4xx, or its connection ended; the server gets no request."""
        child, got = self.pair.child, []

        def over():
            found, length = h2.frames(child.got)
            del child.got[:length]
            got.extend(one[0] for one in found)
            return child.ended or {h2.RST_STREAM, h2.GOAWAY, h2.HEADERS} & set(got)

        self.pair.drive(over, "the child expects a refusal")
        if any(one[0] == h2.HEADERS for one in h2.frames(self.pair.server.got.removeprefix(h2.PREFACE))[0]):
            raise Failure(f"the server got {h2.shown(self.pair.server.got)}")
        self.loose = True

    def refused_stream(self, stream, head, status):
        """The child's request is answered by the agent, and the server does not learn of it."""
        child = self.peers["child"]
        getattr(child, head[0])(*head[1:])
        child.sent.pop(stream)
        answered = lambda: ("end", None) in child.log.get(stream, [])
        self.until(answered, f"an answer on {stream}")
        fields = dict(child.log.pop(stream)[0][1])
        if fields[b":status"] != status.encode():
            raise Failure(f"the child expects {status}: {fields}")

    def server_ready(self):
        """The server says what HTTP/2 begins with."""
        self.pair.server.send(h2.frame(h2.SETTINGS, 0, 0))

    def ends_with(self, *codes):
        """The child is told, in GOAWAY, one of these codes, and its connection ends."""
        child, told = self.pair.child, []

        def over():
            found, length = h2.frames(child.got)
            del child.got[:length]
            told.extend(int.from_bytes(one[3][4:8], "big") for one in found if one[0] == h2.GOAWAY)
            if told:
                child.finish()
            return child.ended

        self.pair.drive(over, f"the child expects GOAWAY {codes} and the end")
        if not told or told[-1] not in codes:
            raise Failure(f"the child expects GOAWAY {codes}: got {told}, {child.ended}")
        self.loose = True

    def flood(self, data, times):
        """The child sends this so often, or as much of it as is taken, and reads nothing; then it goes."""
        child, data = self.pair.child, data.encode("latin-1")
        child.reads, self.loose = False, True
        block, last = data * min(times, 4096), None
        for _ in range(max(1, times // 4096)):
            child.send(block)
            last, since = len(child.out), time.monotonic()
            while child.out and time.monotonic() - since < 0.5:
                for end in self.pair.ends():
                    end.step()
                if len(child.out) != last:
                    last, since = len(child.out), time.monotonic()
            if child.out:
                return

    def abandon(self):
        self.loose = True

    # HTTP/2 by what it means.

    def h2(self, child_settings, server_settings):
        self.peers["child"] = h2.Http2(self.pair.child, True, child_settings)
        self.pair.drive(lambda: self.pair.server, "the server expects its connection")
        self.peers["server"] = h2.Http2(self.pair.server, False, server_settings)
        self.until(lambda: all(peer.is_open for peer in self.peers.values()), "settings")

    def until(self, done, what, to_the_end=False):
        def step():
            for peer in self.peers.values():
                peer.take()
            return done() or (not to_the_end and any(peer.end.ended for peer in self.peers.values()))

        self.pair.drive(step, what)
        if not done():
            raise Failure(f"{what}: {[(who, peer.end.ended, peer.log) for who, peer in self.peers.items()]}")

    def meant(self, who, *operations):
        """One end does what the other learns of."""
        sender, receiver = self.peers[who], self.peers["server" if who == "child" else "child"]
        for operation, *args in operations:
            getattr(sender, operation)(*args)
        same = lambda: all(receiver.log.get(stream) == sent for stream, sent in sender.sent.items())
        try:
            self.until(same, f"what `{who}` meant")
        except Failure:
            raise Failure(f"`{who}` meant {sender.sent}\n  understood as {receiver.log}; its own {sender.log}")

    def stall(self, who, stream, data, times):
        """What one end sends waits for the other to make room, and then arrives."""
        sender, receiver = self.peers[who], self.peers["server" if who == "child" else "child"]
        receiver.credits = False
        sender.data(stream, data * times, True)
        self.until(lambda: receiver.received(stream) == 65535, "a window full of data")
        if not sender.waiting:
            raise Failure(f"all of {len(data) * times} bytes were taken, though 65535 fit")
        receiver.grant(stream, 65535)
        self.meant(who)

    def setting(self, who, name, value):
        """One end was told this by the other's settings."""
        have = self.peers[who].settings.get(name)
        if have != value:
            raise Failure(f"`{who}` was told {have} instead of {value} for setting {name}")

    def goaway(self, who, code):
        """One end says that it is going away."""
        other = self.peers["server" if who == "child" else "child"]
        self.peers[who].goaway(2**31 - 1, code)
        self.until(lambda: ("goaway", code) in other.log.get(0, []), f"GOAWAY of `{who}`")


def play(net, case):
    try:
        return {"name": case["name"], "exact": Play(net, case).run(), "error": None}
    except Failure as error:
        return {"name": case["name"], "exact": False, "error": str(error)}
    except Exception:
        return {"name": case["name"], "exact": False, "error": traceback.format_exc()}


if __name__ == "__main__":
    with open(sys.argv[1]) as script:
        script = json.load(script)
    net = Net(*script["net"])
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        print(json.dumps(list(pool.map(lambda case: play(net, case), script["cases"]))))
