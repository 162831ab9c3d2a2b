"""The lab's DNS server: `dns.py ZONE ADDRESS4 ADDRESS6 SEEN` answers from a zone file over UDP and TCP, on two addresses,
and writes what it was asked to the file SEEN, a line for each query: bytes of the message, name and type.

A name that is not in the zone does not exist; `dead.test` is never answered. A of N is N addresses; TXT of N is N bytes
of text, cut off over UDP. HTTPS is a record with alpn h2 and h3, an ECH configuration and an IPv4 hint.
"""
import json, socket, struct, sys, threading

ZONE = json.load(open(sys.argv[1]))
SEEN = open(sys.argv[4], "a", buffering=1)
TYPES = {"A": 1, "AAAA": 28, "TXT": 16, "HTTPS": 65}


def name_at(message, at):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return ".".join(labels), at + 1


def https():
    def param(key, value):
        return struct.pack("!HH", key, len(value)) + value
    return (struct.pack("!H", 1) + b"\0" + param(1, b"\x02h3\x02h2") + param(4, socket.inet_aton("198.51.100.10"))
            + param(5, b"\0\x08not-ech!"))


def records(entry, qtype):
    if qtype == TYPES["A"]:
        addresses = entry.get("A", [])
        if isinstance(addresses, int):
            addresses = [f"192.0.2.{number}" for number in range(addresses)]
        return [socket.inet_aton(a) for a in addresses]
    if qtype == TYPES["AAAA"]:
        return [socket.inet_pton(socket.AF_INET6, a) for a in entry.get("AAAA", [])]
    if qtype == TYPES["TXT"] and "TXT" in entry:
        return [(b"\xff" + b"x" * 255) * (entry["TXT"] // 255)]
    if qtype == TYPES["HTTPS"] and entry.get("HTTPS"):
        return [https()]
    return []


def answer(query, limit):
    ident, flags = struct.unpack("!HH", query[:4])
    name, end = name_at(query, 12)
    qtype, _ = struct.unpack("!HH", query[end:end + 4])
    SEEN.write(f"{len(query)} {name} {qtype}\n")
    name = name.lower()
    if name == "dead.test":
        return None
    entry = ZONE.get(name)
    found = records(entry, qtype) if entry else []
    question = query[12:end + 4]
    body = b"".join(struct.pack("!HHHIH", 0xc00c, qtype, 1, 60, len(data)) + data for data in found)
    code = 0 if entry else 3
    flags = 0x8480 | (flags & 0x0100) | code
    if 12 + len(question) + len(body) > limit:
        return struct.pack("!HHHHHH", ident, flags | 0x0200, 1, 0, 0, 0) + question
    return struct.pack("!HHHHHH", ident, flags, 1, len(found), 0, 0) + question + body


def udp(family, address):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    def serve():
        while True:
            query, peer = sock.recvfrom(4096)
            reply = answer(query, 1232)
            if reply:
                sock.sendto(reply, peer)
    threading.Thread(target=serve, daemon=True).start()


def connection(conn):
    with conn, conn.makefile("rb") as stream:
        while len(head := stream.read(2)) == 2:
            reply = answer(stream.read(struct.unpack("!H", head)[0]), 65535)
            if reply:
                conn.sendall(struct.pack("!H", len(reply)) + reply)


def tcp(family, address):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, 53))
    sock.listen(64)
    def serve():
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=connection, args=(conn,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()


for family, address in ((socket.AF_INET, sys.argv[2]), (socket.AF_INET6, sys.argv[3])):
    udp(family, address)
    tcp(family, address)
print("ready", flush=True)
threading.Event().wait()
