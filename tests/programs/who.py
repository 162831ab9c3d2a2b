"""Connects in one of many ways: `who.py WAY ADDRESS PORT [COUNT]`. Says for each connection its port, the process and
the thread that connected, and keeps none of them. First it says what it executes."""
import ctypes, errno, os, select, socket, sys, threading

way, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
count = int(sys.argv[4]) if len(sys.argv) > 4 else 1
FAMILY = socket.AF_INET6 if ":" in address else socket.AF_INET
TO = (address, port)
# linux/tcp.h, linux/socket.h, linux/in.h.
TCP_FASTOPEN_CONNECT, MSG_FASTOPEN, IPPROTO_MPTCP = 30, 0x20000000, 262


def say(sock):
    # In one write: many of us write at once.
    os.write(1, f"{sock.getsockname()[1]} {os.getpid()} {threading.get_native_id()}\n".encode())


def new(protocol=0):
    return socket.socket(FAMILY, socket.SOCK_STREAM, protocol)


def plain():
    with new() as sock:
        sock.connect(TO)
        say(sock)


def nonblocking():
    with new() as sock:
        sock.setblocking(False)
        assert sock.connect_ex(TO) == errno.EINPROGRESS
        select.select([], [sock], [])
        assert sock.connect_ex(TO) in (0, errno.EISCONN)
        say(sock)


def bound():
    with new() as sock:
        sock.bind(("", 0))
        sock.connect(TO)
        say(sock)


def again():
    """A connect(2) that fails, then one on the same socket that does not."""
    with new() as sock:
        assert sock.connect_ex((address, 9)) == errno.ECONNREFUSED
        sock.connect(TO)
        say(sock)


def fastopen():
    with new() as sock:
        sock.sendto(b"GET / HTTP/1.0\r\n\r\n", MSG_FASTOPEN, TO)
        say(sock)


def fastopen_connect():
    """The SYN waits for the first write."""
    with new() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        sock.connect(TO)
        sock.send(b"GET / HTTP/1.0\r\n\r\n")
        say(sock)


def mptcp():
    with new(IPPROTO_MPTCP) as sock:
        sock.connect(TO)
        say(sock)


def vanish():
    """A process that is gone as soon as it has connected."""
    if os.fork() == 0:
        sock = new()
        sock.connect(TO)
        say(sock)
        os._exit(0)
    os.wait()


def thread():
    worker = threading.Thread(target=plain)
    worker.start()
    worker.join()


def fork():
    if os.fork() == 0:
        plain()
        os._exit(0)
    os.wait()


print(os.readlink("/proc/self/exe"), flush=True)
for _ in range(count):
    globals()[way]()
