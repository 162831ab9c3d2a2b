"""grpcio for asyncio: `grpc_asyncio_client.py HOST CHECK…`."""
import asyncio, contextlib, sys

import grpc

from checks import gate, run

HOST = sys.argv[1]
MIB = 1 << 20
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
BINARY = bytes(range(256))


@contextlib.asynccontextmanager
async def connected():
    async with grpc.aio.secure_channel(f"{HOST}:443", grpc.ssl_channel_credentials(), options=UNLIMITED) as channel:
        yield channel


async def metadata_arrives():
    async with connected() as channel:
        call = channel.unary_unary("/lab.Echo/Unary")(b"\x00\xff", metadata=(("x-raw-bin", BINARY),))
        assert await call == b"\x00\xff"
        assert (await call.initial_metadata())["x-raw-bin"] == BINARY
        assert (await call.trailing_metadata())["trail-x-raw-bin"] == BINARY


async def an_error_keeps_status_message_and_trailers():
    async with connected() as channel:
        try:
            await channel.unary_unary("/lab.Echo/Unary")(b"", metadata=(("x-fail", "as asked"), ("x-raw-bin", BINARY)))
        except grpc.aio.AioRpcError as error:
            assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "as asked")
            assert error.trailing_metadata()["trail-x-raw-bin"] == BINARY
        else:
            raise AssertionError("no error")


async def a_client_streams():
    name = gate()
    async with connected() as channel:
        call = channel.stream_unary("/lab.Echo/Collect")(metadata=(("gate", name),))
        await call.write(b"one ")
        assert await channel.unary_unary("/lab.Echo/Wait")(name.encode()) == b"one "
        await call.write(b"two")
        await call.done_writing()
        assert await call == b"one two"


async def a_server_streams():
    name = gate()
    async with connected() as channel:
        call = channel.unary_stream("/lab.Echo/Follow")(b"line", metadata=(("gate", name),))
        assert await call.read() == b"line one"
        await channel.unary_unary("/lab.Echo/Open")(name.encode())
        assert await call.read() == b"line two"
        assert await call.read() is grpc.aio.EOF


async def both_stream():
    """Twenty conversations at once on one connection, none of which waits for another."""

    async def one(channel, who):
        call = channel.stream_stream("/lab.Echo/Converse")()
        for number in range(20):
            await call.write(b"%d %d" % (who, number))
            assert await call.read() == b"%d %d" % (who, number)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert (await call.trailing_metadata())["x-count"] == "20"

    async with connected() as channel:
        await asyncio.gather(*(one(channel, who) for who in range(20)))


async def a_cancelled_call_is_cancelled_at_the_server():
    name = gate()
    async with connected() as channel:
        call = channel.unary_stream("/lab.Echo/Hang")(b"", metadata=(("gate", name),))
        assert (await call.initial_metadata())["x-deadline"] == "none"
        assert call.cancel()
        assert await channel.unary_unary("/lab.Echo/Wait")(name.encode()) == b"cancelled"
        assert await call.code() is grpc.StatusCode.CANCELLED


async def a_deadline_ends_the_call_at_both_ends():
    name = gate()
    async with connected() as channel:
        call = channel.unary_stream("/lab.Echo/Hang")(b"", metadata=(("gate", name),), timeout=1)
        assert (await call.initial_metadata())["x-deadline"] == "some"
        assert await channel.unary_unary("/lab.Echo/Wait")(name.encode()) == b"cancelled"
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def a_message_of_64_mib_goes_both_ways():
    message = bytes(range(256)) * (64 * MIB // 256)
    async with connected() as channel:
        assert await channel.unary_unary("/lab.Echo/Unary")(message) == message


checks = (metadata_arrives, an_error_keeps_status_message_and_trailers, a_client_streams, a_server_streams, both_stream,
          a_cancelled_call_is_cancelled_at_the_server, a_deadline_ends_the_call_at_both_ends,
          a_message_of_64_mib_goes_both_ways)
run({f.__name__: f for f in checks}, sys.argv[2:])
