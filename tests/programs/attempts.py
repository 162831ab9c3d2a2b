"""Tries what should be refused: `attempts.py KIND ADDRESS PORT [SECONDS]`. Prints how it ended, as an errno's name."""
import errno, socket, sys

kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
PATIENCE = float(sys.argv[4]) if len(sys.argv) > 4 else 10
family = socket.AF_INET6 if ":" in address else socket.AF_INET

try:
    if kind == "tcp":
        with socket.create_connection((address, port), PATIENCE) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            print("answered " + repr(sock.recv(60)))
    elif kind == "udp":
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.connect((address, port))
            sock.send(b"hello")
            print("answered " + repr(sock.recv(60)))
    elif kind == "packet":
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        print("opened")
    elif kind == "raw":
        socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        print("opened")
except TimeoutError:
    print("ETIMEDOUT")
except OSError as error:
    print(errno.errorcode.get(error.errno, repr(error)))
