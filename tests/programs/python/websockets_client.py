"""Python websockets (RFC 6455), with permessage-deflate (RFC 7692)."""
import urllib.request

import websockets
from websockets.asyncio.client import connect

from checks import ORIGIN, gate, run

URL = "wss://node.test/ws"


def ask(path):
    with urllib.request.urlopen(ORIGIN + path, timeout=20) as response:
        return response.read().decode()


async def messages_come_back():
    async with connect(URL, compression=None, max_size=None) as socket:
        for message in ("", "text: é", b"", b"\x00\xff", b"x" * 125, b"x" * 126, "y" * 65_536, b"z" * 3_000_000):
            await socket.send(message)
            assert await socket.recv() == message


async def extensions_and_subprotocols_are_agreed():
    async with connect(URL, subprotocols=["other", "lab"]) as socket:
        assert socket.subprotocol == "lab"
        assert [extension.name for extension in socket.protocol.extensions] == ["permessage-deflate"]
        await socket.send("how")
        assert await socket.recv() == "1.1 lab permessage-deflate"
        for message in ("again " * 50_000, b"\x00" * 1_000_000):
            await socket.send(message)
            assert await socket.recv() == message


async def fragments_arrive_one_by_one():
    name = gate()
    async with connect(f"{URL}?gate={name}") as socket:
        await socket.send("fragments")
        pieces = socket.recv_streaming()
        assert await anext(pieces) == "one "
        ask(f"/open?gate={name}")
        assert "".join([piece async for piece in pieces]) == "two"
        await socket.send(["three ", "", "fragments"])
        assert await socket.recv() == "three fragments"


async def pings_are_answered_by_the_other_end():
    async with connect(URL, ping_interval=None) as socket:
        await (await socket.ping(b"from the client"))
        await socket.send("ping")
        assert await socket.recv() == "pong from the server"


async def close_codes_and_reasons_arrive():
    async with connect(URL) as socket:
        await socket.send("close")
        try:
            await socket.recv()
        except websockets.ConnectionClosedError as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as asked")
        else:
            raise AssertionError("it is still open")
    name = gate()
    async with connect(f"{URL}?gate={name}") as socket:
        await socket.close(4002, "enough: é")
    assert ask(f"/wait?gate={name}%20closed") == "4002 enough: é"


checks = (messages_come_back, extensions_and_subprotocols_are_agreed, fragments_arrive_one_by_one,
          pings_are_answered_by_the_other_end, close_codes_and_reasons_arrive)
run({f.__name__: f for f in checks})
