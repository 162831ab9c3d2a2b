"""Servers that fail, each at an address and at a moment of its own: `bad_servers.py CERT KEY`. On port 80 in plain text,
on port 443 inside TLS from `half` on. 198.51.100.40 does what is expected of it.
"""
import socket, ssl, struct, sys, threading

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(*sys.argv[1:])
context.set_alpn_protocols(["http/1.1"])
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait(sock):
    while sock.recv(1000):
        pass


def respond(sock, response, end):
    sock.recv(1000)
    sock.sendall(response)
    end(sock)


# Address, whether TLS is spoken, and what is done with the connection.
BEHAVIOURS = {
    40: (True, lambda sock: respond(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwell\n", wait)),
    41: (False, wait),
    42: (False, reset),
    43: (False, lambda sock: (sock.recv(1000), reset(sock))),
    44: (False, lambda sock: respond(sock, b"\x00\xff garbage \r\n\r\n" * 20, wait)),
    45: (True, lambda sock: respond(sock, HALF, wait)),
    46: (True, lambda sock: respond(sock, HALF, reset)),
    47: (True, lambda sock: respond(sock, b"\x00\xff garbage \r\n\r\n" * 20, wait)),
}


def serve(last, port, speaks_tls, behave):
    listener = socket.create_server((f"198.51.100.{last}", port), backlog=64)

    def handle(sock):
        try:
            behave(context.wrap_socket(sock, server_side=True) if speaks_tls and port == 443 else sock)
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


for last, (speaks_tls, behave) in BEHAVIOURS.items():
    for port in (80, 443):
        serve(last, port, speaks_tls, behave)
print("ready", flush=True)
threading.Event().wait()
