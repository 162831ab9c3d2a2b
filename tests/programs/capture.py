"""Counts frames on a device until standard input ends: packets (the segments of a GSO packet one by one) and bytes."""
import collections, json, select, socket, struct, sys

SOL_PACKET, PACKET_STATISTICS, PACKET_VNET_HDR, PACKET_OUTGOING, SO_RCVBUFFORCE = 263, 6, 15, 4, 33
ETH_P_ALL = 3
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}

sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
sock.bind((sys.argv[1], ETH_P_ALL))
sock.setblocking(False)
counts = collections.defaultdict(lambda: [0, 0])


def end(family, address, data, at):
    text = socket.inet_ntop(family, address)
    port = struct.unpack_from("!H", data, at)[0] if len(data) >= at + 2 else 0
    return f"[{text}]:{port}" if family == socket.AF_INET6 else f"{text}:{port}"


def parse(frame):
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800 and len(frame) >= 34:
        family, number, at = socket.AF_INET, frame[23], 14 + (frame[14] & 15) * 4
        src, dst = frame[26:30], frame[30:34]
    elif kind == 0x86dd and len(frame) >= 54:
        family, number, at = socket.AF_INET6, frame[20], 54
        src, dst = frame[22:38], frame[38:54]
    else:
        return f"ether {kind:#06x}", frame[6:12].hex(":"), frame[0:6].hex(":"), 0
    name = PROTOCOLS.get(number, f"ip {number}")
    header = at
    if number == 6 and len(frame) > at + 12:
        header = at + (frame[at + 12] >> 4) * 4
    has_ports = number in (6, 17)
    where = at if has_ports else len(frame)
    return name, end(family, src, frame, where), end(family, dst, frame, where + 2), header


def drain():
    while True:
        try:
            data, address = sock.recvfrom(1 << 18)
        except BlockingIOError:
            return
        _flags, gso_type, _hdr_len, gso_size, _start, _offset = struct.unpack_from("=BBHHHH", data)
        frame = data[10:]
        protocol, src, dst, header = parse(frame)
        payload = len(frame) - header
        packets = -(-payload // gso_size) if gso_type and gso_size else 1
        direction = "out" if address[2] == PACKET_OUTGOING else "in"
        entry = counts[direction, protocol, src, dst]
        entry[0] += packets
        entry[1] += len(frame)


print("ready", flush=True)
while True:
    readable, _, _ = select.select([sock, sys.stdin], [], [])
    drain()
    if sys.stdin in readable and not sys.stdin.buffer.read1(1):
        break
drain()
_, lost = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
fields = ("direction", "protocol", "source", "destination")
counted = [dict(zip(fields, key), packets=packets, bytes=size) for key, (packets, size) in counts.items()]
print(json.dumps({"lost": lost, "counted": counted}))
