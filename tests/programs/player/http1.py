"""HTTP/1 messages by what they mean: start line, fields in any order, body without its framing, trailers."""


def fields(lines):
    """Fields by lower-case name; the order of different names means nothing, that of one name's values does."""
    pairs = [line.partition(b":")[::2] for line in lines]
    return sorted(((name.lower(), value.strip()) for name, value in pairs), key=lambda pair: pair[0])


def value(head, name):
    return next((value for have, value in head if have == name), b"")


def chunks(rest):
    """The content of a chunked body: content, trailers (None if there is more to come), what follows."""
    content = b""
    while True:
        line, end, after = rest.partition(b"\r\n")
        if not end:
            return content, None, b""
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            break
        content += after[:size]
        rest = after[size + 2 :]
        if len(after) < size + 2:
            return content, None, b""
    lines = []
    while True:
        line, end, after = after.partition(b"\r\n")
        if not end:
            return content, None, b""
        if not line:
            return content, fields(lines), after
        lines.append(line)


def messages(stream, methods=None):
    """The messages of one direction, as far as they have come; `methods` are those of the requests, for responses."""
    found, methods = [], None if methods is None else list(methods)
    while stream:
        head, end, rest = stream.partition(b"\r\n\r\n")
        if not end:
            # Part of a head says nothing yet.
            break
        line, *lines = head.split(b"\r\n")
        head, body, trailers = fields(lines), b"", []
        status = None if methods is None else line.split(b" ")[1]
        is_interim = status is not None and status.startswith(b"1") and status != b"101"
        method = line.split(b" ")[0] if methods is None else (methods[0] if methods else b"GET")
        if methods and not is_interim:
            methods.pop(0)
        upgrades = status == b"101" or (method == b"CONNECT" and status == b"200")
        if upgrades:
            body, rest = rest, b""
        elif is_interim or status in (b"204", b"304") or (status and method == b"HEAD"):
            pass
        elif b"chunked" in value(head, b"transfer-encoding"):
            body, trailers, rest = chunks(rest)
        elif value(head, b"content-length"):
            length = int(value(head, b"content-length"))
            body, rest = rest[:length], rest[length:]
        elif status:
            # Whether it is over only the connection's end will tell.
            body, trailers, rest = rest, None, b""
        elif method == b"CONNECT" or value(head, b"upgrade"):
            body, rest = rest, b""
        found.append((line, head, body, trailers))
        stream = rest
    return found


def methods(stream):
    return [message[0].split(b" ")[0] for message in messages(stream)]


# What belongs to one connection, and hyper says in its own words.
HOP = (b"connection", b"keep-alive", b"transfer-encoding", b"content-length")


def meaning(found):
    def head(fields):
        return [field for field in fields if field[0] not in HOP]

    def start(line):
        # A response has the version of the request, and no reason that means anything.
        return line.split(b" ")[1] if line.startswith(b"HTTP/") else line

    # hyper continues by itself what is to be continued.
    found = [message for message in found if b" 100 " not in message[0]]
    return [(start(line), head(fields), body, trailers) for line, fields, body, trailers in found]


def alike(meant, came, requests):
    """Whether two streams mean the same; `requests` is what was asked, None if these are the requests."""
    try:
        asked = None if requests is None else methods(requests)
        return meaning(messages(meant, asked)) == meaning(messages(came, asked))
    except (ValueError, IndexError):
        return False
