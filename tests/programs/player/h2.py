"""HTTP/2: frames, HPACK, and one end of a connection that keeps a log of what the other means."""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
NAMES = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()

STATIC = """:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language
accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding
content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host
if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards
proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security
transfer-encoding|user-agent|vary|via|www-authenticate""".replace("\n", "|").split("|")
STATIC = [(name.encode(), value.encode()) for name, _, value in (entry.partition(" ") for entry in STATIC)]

# The lengths of the Huffman code, which is canonical (RFC 7541 appendix B).
LENGTHS = [int(length) for length in """
13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
27, 27, 27, 27, 27, 26, 30,
""".replace(",", " ").split()]


def huffman():
    codes, code = {}, 0
    for length in range(5, 31):
        for symbol in (symbol for symbol in range(257) if LENGTHS[symbol] == length):
            codes[length, code] = symbol
            code += 1
        code <<= 1
    return codes


CODES = huffman()


def unhuff(data):
    out, length, code = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            if (length, code) in CODES:
                out.append(CODES[length, code])
                length = code = 0
    return bytes(out)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def frames(data):
    """The whole frames in `data`, and how many bytes they are."""
    found, at = [], 0
    while len(data) - at >= 9:
        length = int.from_bytes(data[at : at + 3], "big")
        if len(data) - at < 9 + length:
            break
        kind, flags, stream = struct.unpack_from(">BBI", data, at + 3)
        found.append((kind, flags, stream & 0x7FFFFFFF, bytes(data[at + 9 : at + 9 + length])))
        at += 9 + length
    return found, at


def shown(data):
    """Frames for people."""
    data = bytes(data)
    text, data = ("PREFACE ", data[len(PREFACE) :]) if data.startswith(PREFACE) else ("", data)
    found, end = frames(data)
    for kind, flags, stream, payload in found[:40]:
        name = NAMES[kind] if kind < 10 else hex(kind)
        text += f"{name}({stream}, {flags:#x}, {payload[:40]!r}{'...' if len(payload) > 40 else ''}) "
    return text + (repr(data[end : end + 60]) if end < len(data) else "")


def integer(value, bits, first=0):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(fields):
    """A header block without reference to any table."""
    return b"".join(b"\0" + integer(len(n), 7) + n + integer(len(v), 7) + v for n, v in fields)


class Table:
    """A header table of one direction (RFC 7541 section 2.3)."""

    def __init__(self):
        self.table, self.size, self.limit = [], 0, 4096

    def entry(self, index):
        return STATIC[index - 1] if index <= 61 else self.table[index - 62]

    def add(self, field):
        self.table.insert(0, field)
        self.size += 32 + len(field[0]) + len(field[1])
        self.evict()

    def evict(self):
        while self.size > self.limit:
            name, value = self.table.pop()
            self.size -= 32 + len(name) + len(value)


class Encoder(Table):
    """Refers to what it can and adds what `rng` chooses."""

    def encode(self, rng, fields):
        return b"".join(self.field(rng, field) for field in fields)

    def field(self, rng, field):
        if field in STATIC:
            return integer(STATIC.index(field) + 1, 7, 0x80)
        if field in self.table and rng.random() < 0.8:
            return integer(self.table.index(field) + 62, 7, 0x80)
        if rng.random() < 0.5:
            return encode([field])
        self.add(field)
        return b"\x40" + encode([field])[1:]


class Decoder(Table):

    def decode(self, block):
        self.block, self.at, fields = block, 0, []
        while self.at < len(block):
            byte = block[self.at]
            if byte & 0x80:
                fields.append(self.entry(self.integer(7)))
            elif byte & 0xE0 == 0x20:
                self.limit = self.integer(5)
                self.evict()
            else:
                index = self.integer(6 if byte & 0x40 else 4)
                field = (self.entry(index)[0] if index else self.string(), self.string())
                if byte & 0x40:
                    self.add(field)
                fields.append(field)
        return fields

    def integer(self, bits):
        limit = (1 << bits) - 1
        value, shift = self.block[self.at] & limit, 0
        self.at += 1
        while value >= limit:
            byte = self.block[self.at]
            self.at, value, shift = self.at + 1, value + ((byte & 127) << shift), shift + 7
            if byte < 128:
                break
        return value

    def string(self):
        coded = self.block[self.at] & 0x80
        length = self.integer(7)
        text = self.block[self.at : self.at + length]
        self.at += length
        return unhuff(text) if coded else bytes(text)


class Http2:
    """One end. `sent` and `log` say by stream what either side meant; stream 0 has what concerns the connection."""

    def __init__(self, end, is_client, settings=(), rng=None):
        self.end, self.decoder, self.block = end, Decoder(), None
        self.sent, self.log, self.settings, self.frames = {}, {}, {}, []
        self.windows, self.initial, self.waiting = {0: 65535}, 65535, []
        self.is_open, self.credits = False, True
        # With it, frames are cut, padded and mixed with others at random.
        self.rng, self.encoder = rng, Encoder()
        pairs = b"".join(struct.pack(">HI", *pair) for pair in settings)
        end.send((PREFACE if is_client else b"") + frame(SETTINGS, 0, 0, pairs))
        self.expects_preface = not is_client

    def head(self, stream, fields, ends, early=None):
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        self.note(self.sent, stream, "head", sorted(fields, key=lambda field: field[0]))
        if ends:
            self.note(self.sent, stream, "end")
        block = self.encoder.encode(self.rng, fields) if self.rng else encode(fields)
        self.later(stream, ("head", block, ends))

    def data(self, stream, data, ends):
        data = data.encode("latin-1")
        self.note(self.sent, stream, "data", data)
        if ends:
            self.note(self.sent, stream, "end")
        self.later(stream, ("data", data, ends))

    def reset(self, stream, code):
        self.note(self.sent, stream, "reset", code)
        self.later(stream, ("reset", code, True))

    def goaway(self, last, code):
        self.end.send(frame(GOAWAY, 0, 0, struct.pack(">II", last, code)))

    def later(self, stream, what):
        self.waiting.append((stream, *what))
        self.flush()

    def flush(self):
        """Sends what the windows let pass; what belongs to one stream keeps its order."""
        stuck, left = set(), []
        for stream, kind, what, ends in self.waiting:
            if stream in stuck:
                left.append((stream, kind, what, ends))
            elif kind == "head":
                self.end.send(self.headers_of(stream, what, END_STREAM if ends else 0))
            elif kind == "reset":
                self.end.send(frame(RST_STREAM, 0, stream, struct.pack(">I", what)))
            else:
                rest = self.send_data(stream, what, ends)
                if rest:
                    stuck.add(stream)
                    left.append((stream, kind, rest, ends))
        self.waiting = left

    def send_data(self, stream, data, ends):
        if not data:
            self.end.send(frame(DATA, END_STREAM if ends else 0, stream))
        while data:
            most = self.rng.choice([1, 100, 16384]) if self.rng and len(data) < 5000 else 16384
            room = min(most, self.windows[0], self.windows.setdefault(stream, self.initial), len(data))
            if room <= 0:
                break
            piece, data = data[:room], data[room:]
            self.windows[0] -= room
            self.windows[stream] -= room
            self.end.send(self.padded(DATA, END_STREAM if ends and not data else 0, stream, piece))
        return data

    def headers_of(self, stream, block, flags):
        """A header block in one frame, or as `rng` has it."""
        if not self.rng:
            return frame(HEADERS, END_HEADERS | flags, stream, block)
        cuts = sorted(self.rng.choices(range(len(block) + 1), k=self.rng.choice([0, 0, 1, 3])))
        pieces = [block[start:end] for start, end in zip([0, *cuts], [*cuts, len(block)])]
        last = len(pieces) - 1
        out = self.noise() + self.padded(HEADERS, flags | (END_HEADERS if last == 0 else 0), stream, pieces[0])
        for at, piece in enumerate(pieces[1:], 1):
            out += frame(CONTINUATION, END_HEADERS if at == last else 0, stream, piece)
        return out

    def padded(self, kind, flags, stream, payload):
        """A frame, with padding and other frames before it as `rng` has it."""
        if not self.rng:
            return frame(kind, flags, stream, payload)
        padding = self.rng.choice([None, None, 0, 1, 200])
        if padding is None or len(payload) + 201 > 16384:
            return frame(kind, flags, stream, payload)
        return frame(kind, flags | PADDED, stream, bytes([padding]) + payload + bytes(padding))

    def noise(self):
        """Frames that belong to no exchange."""
        return self.rng.choice([
            b"",
            frame(PING, 0, 0, self.rng.randbytes(8)),
            frame(PRIORITY, 0, 2 * self.rng.randint(1, 9) + 1, b"\0\0\0\0\x10"),
            frame(0xF7, self.rng.randint(0, 255), self.rng.randint(0, 9), self.rng.randbytes(20)),
        ])

    def take(self):
        """Reads what has come."""
        got = self.end.got
        if self.expects_preface:
            if len(got) < len(PREFACE):
                return
            assert got.startswith(PREFACE), bytes(got[:40])
            del got[: len(PREFACE)]
            self.expects_preface = False
        found, end = frames(got)
        del got[:end]
        # All that came, but for what answers when it is convenient.
        self.frames += [one for one in found if not (one[0] == SETTINGS and one[1] & ACK)]
        for one in found:
            self.frame(*one)
        if found:
            self.flush()

    def frame(self, kind, flags, stream, payload):
        if flags & PADDED and kind in (DATA, HEADERS, PUSH_PROMISE):
            payload = payload[1 : len(payload) - payload[0]]
        if kind == DATA:
            self.note(self.log, stream, "data", payload)
            self.ends(flags, stream)
            self.credit(stream, len(payload), flags)
        elif kind in (HEADERS, PUSH_PROMISE):
            payload = payload[5:] if kind == HEADERS and flags & WITH_PRIORITY else payload
            self.block = (stream, flags, payload)
            self.headers(flags)
        elif kind == CONTINUATION:
            self.block = (self.block[0], self.block[1], self.block[2] + payload)
            self.headers(flags)
        elif kind == RST_STREAM:
            self.note(self.log, stream, "reset", int.from_bytes(payload, "big"))
        elif kind == SETTINGS and not flags & ACK:
            self.set(payload)
        elif kind == PING and not flags & ACK:
            self.end.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.note(self.log, 0, "goaway", int.from_bytes(payload[4:8], "big"))
        elif kind == WINDOW_UPDATE:
            room = int.from_bytes(payload, "big")
            self.windows[stream] = self.windows.get(stream, self.initial) + room

    def headers(self, flags):
        if flags & END_HEADERS:
            stream, first, block = self.block
            fields = self.decoder.decode(block)
            self.note(self.log, stream, "head", sorted(fields, key=lambda field: field[0]))
            self.ends(first, stream)

    def ends(self, flags, stream):
        if flags & END_STREAM:
            self.note(self.log, stream, "end")

    def set(self, payload):
        for at in range(0, len(payload), 6):
            name, value = struct.unpack_from(">HI", payload, at)
            self.settings[name] = value
            if name == 4:
                for stream in self.windows:
                    self.windows[stream] += value - self.initial if stream else 0
                self.initial = value
        self.is_open = True
        self.end.send(frame(SETTINGS, ACK, 0))

    def credit(self, stream, bytes_, flags):
        if self.credits and bytes_:
            self.end.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", bytes_)))
            if not flags & END_STREAM:
                self.end.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", bytes_)))

    def received(self, stream):
        """Bytes of content that have come."""
        return sum(len(value) for what, value in self.log.get(stream, []) if what == "data")

    def grant(self, stream, room):
        """Makes room, and from now on as data comes."""
        self.credits = True
        self.end.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", room)))
        self.end.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", room)))

    @staticmethod
    def note(log, stream, what, value=None):
        """Data that comes in more pieces means the same; a frame without any means nothing."""
        events = log.setdefault(stream, [])
        if what == "data":
            if not value:
                return
            if events and events[-1][0] == "data":
                value = events.pop()[1] + value
        events.append((what, value))
