"""DNS queries: `dns_client.py SERVER udp|tcp [NAME TYPE[/CLASS]]...`. Prints the answers as JSON, one a line.

Types and classes are names or numbers. Queries go one by one over UDP, each from a port of its own, and all at once over
TCP. An option `edns` before the names makes them speak EDNS, with an option that its sender made up.
"""
import json, socket, struct, sys

server, transport, *words = sys.argv[1:]
edns = words[:1] == ["edns"]
words = words[1:] if edns else words
questions = list(zip(words[::2], words[1::2]))
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255}
CLASSES = {"IN": 1, "CH": 3, "HS": 4, "ANY": 255}
EXPLANATION = 15
family = socket.AF_INET6 if ":" in server else socket.AF_INET


def query(ident, name, kind):
    kind, _, group = kind.partition("/")
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    number = TYPES[kind] if kind in TYPES else int(kind)
    options = b"\0\0\x29" + struct.pack("!HIHHH", 4096, 0, 4 + 6, 65001, 6) + b"secret" if edns else b""
    head = struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, int(edns))
    return head + labels + struct.pack("!HH", number, CLASSES[group or "IN"]) + options


def over_udp(message):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(15)
        # Connected: an answer from another address than the one asked does not count.
        sock.connect((server, 53))
        sock.send(message)
        return sock.recv(65535)


def over_tcp(messages):
    with socket.create_connection((server, 53), 15) as sock:
        sock.sendall(b"".join(struct.pack("!H", len(message)) + message for message in messages))
        stream = sock.makefile("rb")
        replies = [stream.read(struct.unpack("!H", stream.read(2))[0]) for _ in messages]
    # They come in any order.
    return sorted(replies, key=lambda reply: reply[:2])


def skip_name(reply, at):
    while reply[at]:
        if reply[at] & 0xc0:
            return at + 2
        at += 1 + reply[at]
    return at + 1


def https(data):
    at, params = 3, {}
    assert data[2] == 0, "the target is the owner"
    while at < len(data):
        key, length = struct.unpack_from("!HH", data, at)
        params[key] = data[at + 4:at + 4 + length].hex()
        at += 4 + length
    return params


def explanation(options):
    while options:
        code, length = struct.unpack_from("!HH", options)
        if code == EXPLANATION:
            return [struct.unpack_from("!H", options, 4)[0], options[6:4 + length].decode()]
        options = options[4 + length:]


def show(rtype, data):
    if rtype == 1:
        return socket.inet_ntop(socket.AF_INET, data)
    if rtype == 28:
        return socket.inet_ntop(socket.AF_INET6, data)
    return https(data) if rtype == 65 else len(data)


def read(ident, message, reply):
    number, flags, _, *counts = struct.unpack("!HHHHHH", reply[:12])
    assert number == ident and flags & 0x8000, reply
    end = skip_name(message, 12) + 4
    assert reply[12:end] == message[12:end], "the question comes back as it was"
    records = []
    for _ in range(sum(counts)):
        at = skip_name(reply, end)
        rtype, _, _, length = struct.unpack_from("!HHIH", reply, at)
        end = at + 10 + length
        records.append((rtype, reply[at + 10:end]))
    return {"rcode": flags & 15, "truncated": bool(flags & 0x0200),
            "answers": [show(*record) for record in records[:counts[0]]],
            "explanation": next((explanation(data) for rtype, data in records if rtype == 41), None)}


messages = [query(ident, *question) for ident, question in enumerate(questions)]
replies = map(over_udp, messages) if transport == "udp" else over_tcp(messages)
for ident, (message, reply) in enumerate(zip(messages, replies)):
    print(json.dumps(read(ident, message, reply)), flush=True)
