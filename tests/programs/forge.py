"""Sends frames that no socket would send, on eth0: `forge.py ADDRESS`. Each is what one reason of refusal is for."""
import socket, struct, sys

target = socket.inet_aton(sys.argv[1])
target6 = socket.inet_pton(socket.AF_INET6, sys.argv[2])
CHILD, GATEWAY = bytes.fromhex("02a9e7000002"), bytes.fromhex("02a9e7000001")
CHILD4, CHILD6 = socket.inet_aton("10.200.1.2"), socket.inet_pton(socket.AF_INET6, "fd0a:c801::2")
TCP = struct.pack("!HHIIBBHHH", 40000, 443, 1, 0, 0x50, 2, 64240, 0, 0)


def ether(kind, payload, src=CHILD):
    return GATEWAY + src + struct.pack("!H", kind) + payload


def ipv4(payload=TCP, src=CHILD4, protocol=6, fragment=0x4000, options=b""):
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | length // 4, 0, length + len(payload), 1, fragment, 64, protocol, 0)
    head += src + target + options
    total = sum(struct.unpack(f"!{length // 2}H", head))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return head[:10] + struct.pack("!H", total) + head[12:] + payload


def ipv6(payload=TCP, protocol=6):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + CHILD6 + target6 + payload


FRAMES = {
    "ether-type": ether(0x0806, struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + CHILD + CHILD4 + bytes(6) + target),
    "vlan": ether(0x8100, struct.pack("!HH", 7, 0x0800) + ipv4()),
    "spoofed": ether(0x0800, ipv4(src=socket.inet_aton("10.200.1.9"))),
    "spoofed mac": ether(0x0800, ipv4(), src=bytes.fromhex("02a9e7000099")),
    "fragment": ether(0x0800, ipv4(fragment=0x2000)),
    "late fragment": ether(0x0800, ipv4(fragment=0x0010)),
    "ip-options": ether(0x0800, ipv4(options=b"\x94\x04\0\0")),
    "extension-header": ether(0x86dd, ipv6(bytes([6, 0, 1, 4, 0, 0, 0, 0]) + TCP, protocol=0)),
    "protocol": ether(0x0800, ipv4(payload=bytes(12), protocol=132)),
    "malformed": ether(0x0800, ipv4(payload=TCP[:8])),
    "half an IPv4 header": ether(0x0800, ipv4()[:10]),
    "half an IPv6 header": ether(0x86dd, ipv6()[:30]),
}

sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sock.bind(("eth0", 0))
for frame in FRAMES.values():
    sock.send(frame)
