"""Servers that speak neither TLS nor HTTP.

7001 echoes until the client's FIN, then says how much it was and closes. 7002, and 443 and 80 of 198.51.100.20, greet
first and answer one line. 7003 closes at once. With any argument, without the last two.
"""
import socket, sys, threading


def echo(conn):
    total = 0
    while data := conn.recv(65536):
        total += len(data)
        conn.sendall(data)
    conn.sendall(b"total %d\n" % total)


def greet(conn):
    conn.sendall(b"220 lab ready\r\n")
    line = conn.makefile("rb").readline()
    if line:
        conn.sendall(b"250 " + line)


def close(conn):
    pass


def serve(port, handler):
    sock = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    def accept():
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=handle, args=(conn,), daemon=True).start()
    def handle(conn):
        with conn:
            try:
                handler(conn)
            except OSError:
                pass
    threading.Thread(target=accept, daemon=True).start()


for port, handler in ((7001, echo), (7002, greet), (7003, close)):
    serve(port, handler)
for port in (443, 80) if len(sys.argv) < 2 else ():
    sock = socket.create_server(("198.51.100.20", port), backlog=64)
    def accept(sock=sock):
        while True:
            conn, _ = sock.accept()
            with conn:
                try:
                    greet(conn)
                except OSError:
                    pass
    threading.Thread(target=accept, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
