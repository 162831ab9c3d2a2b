"""What a client does with a plain TCP connection: `tcp_client.py WHAT ADDRESS PORT`."""
import errno, os, socket, struct, sys, threading, time

what, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
FAMILY = socket.AF_INET6 if ":" in address else socket.AF_INET


def half_close():
    """A megabyte and a half there and back, then FIN, then the last word of the server."""
    sent = os.urandom(1_500_000)
    with socket.create_connection((address, port), 20) as sock:
        def send():
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
        threading.Thread(target=send).start()
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    assert got == sent + b"total 1500000\n", (len(got), got[-40:])


def server_first():
    """Prints after how many milliseconds the greeting came."""
    with socket.create_connection((address, port), 20) as sock:
        connected = time.monotonic()
        stream = sock.makefile("rb")
        assert stream.readline() == b"220 lab ready\r\n"
        print(round((time.monotonic() - connected) * 1000))
        sock.sendall(b"hello\r\n")
        assert stream.readline() == b"250 hello\r\n"
        assert stream.read() == b""


def connect():
    """Prints how connecting ended."""
    try:
        socket.create_connection((address, port), 20).close()
        print("connected")
    except OSError as error:
        print(errno.errorcode.get(error.errno, repr(error)))


def talk():
    """Prints how talking ended."""
    try:
        with socket.create_connection((address, port), 20) as sock:
            # The beginning of a TLS handshake: whoever waits for the first bytes waits for more.
            sock.sendall(b"\x16\x03\x01")
            print(sock.recv(1))
    except OSError as error:
        print(errno.errorcode.get(error.errno, repr(error)))


def reuse():
    """The same source port again as soon as the server's side has closed, when it is the one in TIME_WAIT."""
    source = None
    for _ in range(5):
        with socket.socket(FAMILY, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.settimeout(5)
            if source:
                sock.bind(source)
            sock.connect((address, port))
            source = sock.getsockname()
            if port in (80, 443):
                sock.sendall(b"QUIT\r\n")
            # The server closes first: its end is the one that waits.
            while sock.recv(1000):
                pass
    print("reused")


{"half-close": half_close, "server-first": server_first, "connect": connect, "talk": talk, "reuse": reuse}[what]()
