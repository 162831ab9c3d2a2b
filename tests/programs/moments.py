"""A TLS client that stops at a moment: `moments.py NAME MOMENT`. It says `there`, waits for its connection to end, says
how, and then fetches `/hello` over another one.

Moments: `silent` (nothing sent), `hello` (half of the ClientHello sent), `idle` (after the handshake), `head` (half of
a request's head sent).
"""
import errno, os, socket, ssl, sys

name, moment = sys.argv[1:]
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
sock = socket.create_connection((name, 443), 20)
if moment == "hello":
    outgoing = ssl.MemoryBIO()
    begun = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        begun.do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
    sock.sendall(hello[: len(hello) // 2])
elif moment != "silent":
    sock = context.wrap_socket(sock, server_hostname=name)
    sock.sendall({"idle": b"", "head": b"GET /hello HTTP/1.1\r\nHost: "}[moment])
print("there", flush=True)
try:
    received = sock.recv(100)
    print("ended" if not received else f"received {received!r}", flush=True)
except ssl.SSLEOFError:
    print("ended", flush=True)
except OSError as error:
    print("ended" if error.errno == errno.ECONNRESET else repr(error), flush=True)

with context.wrap_socket(socket.create_connection((name, 443), 20), server_hostname=name) as sock:
    sock.sendall(f"GET /hello HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    with sock.makefile("rb") as answer:
        print(answer.read().split(b"\r\n\r\n", 1)[1].decode(), end="", flush=True)
