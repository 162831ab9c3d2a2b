"""Python httpx, over HTTP/2 by h2 and over HTTP/1.1 by h11."""
import asyncio, hashlib, sys

import httpx

from checks import BLOB, ORIGIN, gate, run

HTTP2 = sys.argv[1] == "2"
VERSION = ("HTTP/2", "2.0") if HTTP2 else ("HTTP/1.1", "1.1")


def client():
    return httpx.AsyncClient(http2=HTTP2, base_url=ORIGIN, timeout=20)


async def bytes_arrive():
    async with client() as origin:
        response = await origin.get("/hello")
        assert (response.status_code, response.text) == (200, "hello\n")
        assert (response.http_version, response.headers["x-version"]) == VERSION
        assert (await origin.get("/blob")).content == BLOB
        assert (await origin.post("/sum", content=BLOB)).text == hashlib.sha256(BLOB).hexdigest() + "\n"


async def response_streams():
    name = gate()
    async with client() as origin, origin.stream("GET", "/stream", params={"gate": name}) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "one"
        await origin.get("/open", params={"gate": name})
        assert [line async for line in lines] == ["two"]


async def request_streams():
    name = gate()
    async with client() as origin:
        # Before it has read the server's settings, httpx sends nothing beside a request.
        await origin.get("/hello")

        async def body():
            yield b"one"
            assert (await origin.get("/wait", params={"gate": name})).text == "one"
            yield b"two"

        assert (await origin.post("/collect", params={"gate": name}, content=body())).text == "onetwo"


async def requests_run_beside_one_another():
    """Twenty responses are half here before any goes on."""
    names = [gate() for _ in range(20)]
    halves = asyncio.Barrier(len(names)) if hasattr(asyncio, "Barrier") else None
    async with client() as origin:

        async def one(name):
            async with origin.stream("GET", "/stream", params={"gate": name}) as response:
                lines = response.aiter_lines()
                assert await anext(lines) == "one"
                if halves:
                    await halves.wait()
                await origin.get("/open", params={"gate": name})
                assert [line async for line in lines] == ["two"]

        await asyncio.gather(*map(one, names))


checks = (bytes_arrive, response_streams, request_streams, requests_run_beside_one_another)
run({f.__name__: f for f in checks}, sys.argv[2:])
