"""Datagrams that are refused: `flood.py ADDRESS COUNT ROUNDS`, one to each of COUNT ports a round. On each line of input
it sends a round and says so."""
import socket, sys

address, count, rounds = sys.argv[1], *map(int, sys.argv[2:])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    for number in range(rounds):
        sys.stdin.readline()
        for port in range(10000, 10000 + count):
            sock.sendto(b"x", (address, port))
        print("sent", number, flush=True)
