"""One DNS query: `dns_client.py SERVER udp|tcp NAME TYPE`. Prints the answer as JSON."""
import json, socket, struct, sys

server, transport, name, kind = sys.argv[1:5]
TYPES = {"A": 1, "AAAA": 28, "TXT": 16, "HTTPS": 65}
family = socket.AF_INET6 if ":" in server else socket.AF_INET
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
query = struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!HH", TYPES[kind], 1)

if transport == "udp":
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(15)
        # Connected: an answer from another address than the one asked does not count.
        sock.connect((server, 53))
        sock.send(query)
        reply = sock.recv(65535)
else:
    with socket.create_connection((server, 53), 15) as sock:
        sock.sendall(struct.pack("!H", len(query)) + query)
        stream = sock.makefile("rb")
        reply = stream.read(struct.unpack("!H", stream.read(2))[0])

ident, flags, _, count, _, _ = struct.unpack("!HHHHHH", reply[:12])
assert ident == 0x1234 and flags & 0x8000, reply


def skip_name(at):
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


def show(rtype, data):
    if rtype == 1:
        return socket.inet_ntop(socket.AF_INET, data)
    if rtype == 28:
        return socket.inet_ntop(socket.AF_INET6, data)
    return https(data) if rtype == 65 else len(data)


at = skip_name(12) + 4
answers = []
for _ in range(count):
    at = skip_name(at)
    rtype, _, _, length = struct.unpack_from("!HHIH", reply, at)
    answers.append(show(rtype, reply[at + 10:at + 10 + length]))
    at += 10 + length
print(json.dumps({"rcode": flags & 15, "truncated": bool(flags & 0x0200), "answers": answers}))
