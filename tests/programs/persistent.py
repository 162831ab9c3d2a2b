"""A client that outlives its session: `persistent.py ADDRESS PORT`. Says when it is connected, when it is cut off, and
how connecting again ends, which it tries on a line of input."""
import errno, socket, sys

address, port = sys.argv[1], int(sys.argv[2])
sock = socket.create_connection((address, port), 10)
sock.settimeout(0.2)
print("connected", flush=True)
while True:
    try:
        sock.send(b"G")
        sock.recv(100)
    except TimeoutError:
        with open("/proc/net/dev") as devices:
            if "eth0" not in devices.read():
                break
    except OSError:
        break
print("cut off", flush=True)
for line in sys.stdin:
    try:
        socket.create_connection((address, port), 10)
        result = "connected"
    except OSError as error:
        result = errno.errorcode.get(error.errno, repr(error))
    print("again:", result, flush=True)
