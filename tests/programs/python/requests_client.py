"""Python requests: HTTP/1.1 by urllib3."""
import hashlib

import requests

from checks import BLOB, ORIGIN, gate, run

session = requests.Session()


def bytes_arrive():
    response = session.get(f"{ORIGIN}/hello")
    assert (response.status_code, response.text, response.headers["x-version"]) == (200, "hello\n", "1.1")
    assert session.get(f"{ORIGIN}/blob").content == BLOB
    digest = session.post(f"{ORIGIN}/sum", data=BLOB).text
    assert digest == hashlib.sha256(BLOB).hexdigest() + "\n"


def response_streams():
    name = gate()
    with session.get(f"{ORIGIN}/stream", params={"gate": name}, stream=True) as response:
        lines = response.iter_lines(chunk_size=1)
        assert next(lines) == b"one"
        session.get(f"{ORIGIN}/open", params={"gate": name})
        assert list(lines) == [b"two"]


def request_streams():
    name = gate()

    def body():
        yield b"one"
        # The server has the first piece while this request has not ended.
        assert requests.get(f"{ORIGIN}/wait", params={"gate": name}).text == "one"
        yield b"two"

    assert session.post(f"{ORIGIN}/collect", params={"gate": name}, data=body()).text == "onetwo"


def connection_is_kept():
    """Twenty requests reach the server from one port."""
    with requests.Session() as kept:
        assert len({kept.get(f"{ORIGIN}/hello").headers["x-port"] for _ in range(20)}) == 1


run({f.__name__: f for f in (bytes_arrive, response_streams, request_streams, connection_is_kept)})
