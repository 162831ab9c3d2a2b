"""Listens on ports 80 and 443 of every address and lends its sockets, through the Unix socket at PATH, to whoever plays
the servers: what they accept arrives in this network namespace.

listen.py PATH
"""
import os, socket, sys

listeners = [socket.create_server(("", port), backlog=4096) for port in (80, 443)]
lender = socket.socket(socket.AF_UNIX)
lender.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
lender.listen()
print("ready", flush=True)
while True:
    borrower, _ = lender.accept()
    with borrower:
        socket.send_fds(borrower, [b"."], [listener.fileno() for listener in listeners])
