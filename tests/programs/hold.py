"""Connections that are held: `hold.py ADDRESS PORT COUNT LEAVE`, to a server that echoes. Says how many of them have an
answer whenever that is `LEAVE`; on a line of input, closes those and says when the others have one."""
import resource, selectors, socket, sys

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

address, port, count, leave = sys.argv[1], *map(int, sys.argv[2:])
selector = selectors.DefaultSelector()
waiting = [socket.create_connection((address, port), 20) for _ in range(count)]
for sock in waiting:
    sock.sendall(b"x")
    selector.register(sock, selectors.EVENT_READ)


def answered(wanted):
    held = []
    while len(held) < wanted:
        events = selector.select(20)
        if not events:
            sys.exit(f"only {len(held)} answers")
        for key, _ in events[:wanted - len(held)]:
            selector.unregister(key.fileobj)
            if key.fileobj.recv(1) != b"x":
                sys.exit("no echo")
            held.append(key.fileobj)
    print("answered", wanted, flush=True)
    return held


held = answered(leave)
sys.stdin.readline()
for sock in held:
    sock.sendall(b"y")
    if sock.recv(1) != b"y":
        sys.exit("it was not held")
    sock.close()
answered(count - leave)
