"""Python aiohttp: HTTP/1.1 both ways at once, and its WebSocket."""
import hashlib

import aiohttp

from checks import BLOB, ORIGIN, gate, run


def client():
    return aiohttp.ClientSession(ORIGIN, timeout=aiohttp.ClientTimeout(20))


async def bytes_arrive():
    async with client() as origin:
        async with origin.get("/hello") as response:
            assert (response.status, await response.text()) == (200, "hello\n")
            assert (response.version, response.headers["x-version"]) == (aiohttp.HttpVersion11, "1.1")
        async with origin.get("/blob") as response:
            assert await response.read() == BLOB
        async with origin.post("/sum", data=BLOB) as response:
            assert await response.text() == hashlib.sha256(BLOB).hexdigest() + "\n"


async def response_streams():
    name = gate()
    async with client() as origin, origin.get("/stream", params={"gate": name}) as response:
        assert await response.content.readline() == b"one\n"
        async with origin.get("/open", params={"gate": name}):
            assert await response.content.readline() == b"two\n"
        assert response.content.at_eof() or await response.content.read() == b""


async def request_streams():
    name = gate()
    async with client() as origin:

        async def body():
            yield b"one"
            async with origin.get("/wait", params={"gate": name}) as response:
                assert await response.text() == "one"
            yield b"two"

        async with origin.post("/collect", params={"gate": name}, data=body()) as response:
            assert await response.text() == "onetwo"


async def events_arrive_one_by_one():
    name = gate()
    async with client() as origin, origin.get("/events", params={"gate": name}) as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readuntil(b"\n\n") == b"id: 1\ndata: one\n\n"
        async with origin.get("/open", params={"gate": name}):
            pass
        assert await response.content.read() == b"id: 2\nevent: named\ndata: two\ndata: lines\n\n"


async def websocket_talks():
    async with client() as origin, origin.ws_connect("/ws", compress=15) as socket:
        for size in (0, 1, 126, 65536, 300_000):
            await socket.send_bytes(b"x" * size)
            assert await socket.receive_bytes() == b"x" * size
        await socket.send_str("close")
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as asked"), message


checks = (bytes_arrive, response_streams, request_streams, events_arrive_one_by_one, websocket_talks)
run({f.__name__: f for f in checks})
