"""Ends of connections, over TCP or TLS, without waiting: whoever drives them says what for."""
import collections, queue, select, socket, ssl, struct, threading, time

NAME = "conform.test"
# Only to end a hang.
LIMIT = 15
READ = 1 << 18
HANDSHAKE = threading.Lock()


class Failure(Exception):
    """What should have happened did not."""


class End:
    """One end. What it has received is in `got`; how the other side ended is in `ended`: `end`, `cut` (TLS without
    close_notify) or `reset`."""

    def __init__(self, sock, context=None, **options):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.out, self.got, self.ended = sock, bytearray(), bytearray(), None
        self.reads, self.finishes, self.has_finished, self.tls, self.is_ready = True, False, False, None, True
        if context:
            self.inner, self.outer = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.inner, self.outer, **options)
            self.is_ready = False
            self.shake()

    def shake(self):
        try:
            # OpenSSL's stores of trust are not as safe among threads as they should be.
            with HANDSHAKE:
                self.tls.do_handshake()
            self.is_ready = True
        except ssl.SSLWantReadError:
            pass
        self.out += self.outer.read()

    def send(self, data):
        """Queues bytes; over TLS they are a record of their own."""
        if self.tls:
            self.tls.write(data)
            data = self.outer.read()
        self.out += data
        self.flush()

    def finish(self):
        """Says that nothing more is sent, when all is."""
        if self.has_finished:
            return
        self.has_finished = True
        if self.tls and self.is_ready:
            try:
                self.tls.unwrap()
            except (ssl.SSLWantReadError, ssl.SSLError):
                pass
            self.out += self.outer.read()
        self.finishes = True
        self.flush()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.ended = self.ended or "reset by us"

    def close(self):
        self.sock.close()

    def flush(self):
        try:
            while self.out:
                del self.out[: self.sock.send(memoryview(self.out)[:READ].tobytes())]
            if self.finishes:
                self.finishes = False
                self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self.out.clear()
            # The reason is where it is read.
            self.finishes = False

    def step(self):
        """Writes and reads what can be by now."""
        if self.sock.fileno() < 0:
            return
        self.flush()
        if self.reads and not self.ended:
            self.read()

    def read(self):
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            self.ended = "reset"
            return
        if not self.tls:
            self.got += data
            self.ended = None if data else "end"
            return
        self.inner.write(data) if data else self.inner.write_eof()
        try:
            if not self.is_ready:
                self.shake()
            while self.is_ready:
                plain = self.tls.read(READ)
                if not plain:
                    self.ended = "end"
                    return
                self.got += plain
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = "end"
        except ssl.SSLError as error:
            if error.reason not in (None, "UNEXPECTED_EOF_WHILE_READING"):
                raise Failure(f"TLS: {error}")
            self.ended = "cut"

    def interest(self):
        reads = select.POLLIN if self.reads and not self.ended else 0
        return reads | (select.POLLOUT if self.out else 0)


def drive(ends, done, what):
    """Moves what can be moved until `done`; `ends` says who there is by now."""
    deadline = time.monotonic() + LIMIT
    while True:
        there = ends()
        for end in there:
            end.step()
        if done():
            return
        if time.monotonic() > deadline:
            raise Failure(f"{what}: it did not happen within {LIMIT} s")
        poll = select.poll()
        for end in there:
            if end.sock.fileno() >= 0 and end.interest():
                poll.register(end.sock, end.interest())
        # A server's end may appear at any time.
        poll.poll(20 if len(there) < 2 else 200)


class Net:
    """Where children dial and servers are dialled."""

    def __init__(self, path, cert, key, authority=None):
        self.cert, self.key, self.authority, self.contexts = cert, key, authority, {}
        self.lock = threading.Lock()
        self.arrived = collections.defaultdict(queue.SimpleQueue)
        with socket.socket(socket.AF_UNIX) as lender:
            lender.connect(path)
            _, fds, _, _ = socket.recv_fds(lender, 1, 2)
        for fd in fds:
            threading.Thread(target=self.accept, args=(socket.socket(fileno=fd),), daemon=True).start()

    def accept(self, listener):
        while True:
            sock, _ = listener.accept()
            self.arrived[sock.getsockname()].put(sock)

    def context(self, side, alpn):
        """A TLS configuration; `alpn` is a protocol or nothing."""
        with self.lock:
            if (side, alpn) not in self.contexts:
                self.contexts[side, alpn] = self.make_context(side, alpn)
            return self.contexts[side, alpn]

    def make_context(self, side, alpn):
        if side == "server":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.cert, self.key)
        else:
            context = ssl.create_default_context()
            if self.authority:
                context.load_verify_locations(self.authority)
        if alpn:
            context.set_alpn_protocols([alpn])
        # An end without close_notify is told from one with it.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    def dial(self, address, alpn):
        """The child's end; `alpn` is None without TLS."""
        sock = socket.create_connection(address, timeout=LIMIT)
        if alpn is None:
            return End(sock)
        return End(sock, self.context("child", alpn), server_hostname=NAME)

    def answer(self, address, alpn):
        """The server's end, if the connection has come."""
        try:
            sock = self.arrived[address].get_nowait()
        except queue.Empty:
            return None
        if alpn is None:
            return End(sock)
        return End(sock, self.context("server", alpn), server_side=True)


class Pair:
    """A connection's two ends. The server's comes when it does."""

    def __init__(self, net, address, alpn):
        self.net, self.address, self.alpn = net, address, alpn
        self.child, self.server = net.dial(address, alpn), None

    def ends(self):
        if not self.server:
            self.server = self.net.answer(self.address, self.alpn)
        return [end for end in (self.child, self.server) if end]

    def drive(self, done, what):
        drive(self.ends, done, what)

    def shake(self):
        """Waits until TLS stands on both sides."""
        if self.alpn is not None:
            self.drive(lambda: self.child.is_ready and self.server and self.server.is_ready, "handshake")

    def close(self):
        for end in self.ends():
            end.close()
