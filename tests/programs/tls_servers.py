"""TLS servers that differ: `tls_servers.py JSON`, a list of objects, each a server:

address     where it listens
port        443 unless said
cert, key   files; without them there is no TLS
versions    [lowest, highest], such as "TLSv1_2"; both unless said
alpn        protocols that it knows
clients     a file of roots that it asks for client certificates of
insists     whether it refuses clients without one
greets      whether it speaks first, and no HTTP
echoes      whether it speaks no HTTP, but gives back a line

It answers HTTP with the TLS version, `full` or `resumed`, and the client certificate's common name or `-`.
"""
import json, socket, ssl, sys, threading


def context(spec):
    if "cert" not in spec:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(spec["cert"], spec["key"])
    low, high = spec.get("versions", ["TLSv1_2", "TLSv1_3"])
    if low < "TLSv1_2":
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = ssl.TLSVersion[low], ssl.TLSVersion[high]
    if "alpn" in spec:
        made.set_alpn_protocols(spec["alpn"])
    if "clients" in spec:
        made.load_verify_locations(spec["clients"])
        made.verify_mode = ssl.CERT_REQUIRED if spec.get("insists") else ssl.CERT_OPTIONAL
    return made


def name(tls):
    subject = (tls.getpeercert() or {}).get("subject", ())
    return next((value for part in subject for key, value in part if key == "commonName"), "-")


def serve(tls, spec):
    stream = tls.makefile("rwb")
    if spec.get("greets"):
        stream.write(b"220 lab ready\r\n")
        stream.flush()
        return
    if spec.get("echoes"):
        stream.write(stream.readline())
        stream.flush()
        return
    while stream.readline().strip():
        pass
    if isinstance(tls, ssl.SSLSocket):
        body = f"{tls.version()} {'resumed' if tls.session_reused else 'full'} {name(tls)}\n"
    else:
        body = "no TLS\n"
    stream.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    stream.flush()


def handle(tcp, made, spec):
    try:
        if made is None:
            with tcp:
                return serve(tcp, spec)
        with made.wrap_socket(tcp, server_side=True) as tls:
            serve(tls, spec)
            tls.unwrap()
    except OSError:
        tcp.close()


def listen(spec):
    made = context(spec)
    sock = socket.create_server((spec["address"], spec.get("port", 443)), backlog=64)

    def accept():
        while True:
            tcp, _ = sock.accept()
            threading.Thread(target=handle, args=(tcp, made, spec), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


for spec in json.loads(sys.argv[1]):
    listen(spec)
print("ready", flush=True)
threading.Event().wait()
