"""grpcio, blocking: `grpc_client.py HOST CHECK…`."""
import queue, sys

import grpc

from checks import gate, run

HOST = sys.argv[1]
MIB = 1 << 20
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
BINARY = bytes(range(256))

channel = grpc.secure_channel(f"{HOST}:443", grpc.ssl_channel_credentials(), options=UNLIMITED)
unary = channel.unary_unary("/lab.Echo/Unary")
collect = channel.stream_unary("/lab.Echo/Collect")
follow = channel.unary_stream("/lab.Echo/Follow")
converse = channel.stream_stream("/lab.Echo/Converse")
hang = channel.unary_stream("/lab.Echo/Hang")
open_gate = channel.unary_unary("/lab.Echo/Open")
wait = channel.unary_unary("/lab.Echo/Wait")


def metadata_arrives():
    metadata = (("x-text", "two words"), ("x-raw-bin", BINARY), ("x-twice", "a"), ("x-twice", "b"))
    response, call = unary.with_call(b"\x00\xffbytes", metadata=metadata)
    assert response == b"\x00\xffbytes"
    assert call.code() is grpc.StatusCode.OK
    for name, got in (("", call.initial_metadata()), ("trail-", call.trailing_metadata())):
        values = {}
        for key, value in got:
            values.setdefault(key, []).append(value)
        assert values[f"{name}x-text"] == ["two words"], values
        assert values[f"{name}x-raw-bin"] == [BINARY], values
        # RFC 9110 section 5.2: a list in one field or in several is the same.
        assert ", ".join(values[f"{name}x-twice"]).replace(",", ", ").replace("  ", " ") == "a, b", values


def an_error_keeps_status_message_and_trailers():
    try:
        unary(b"", metadata=(("x-fail", "as asked: 100 %"), ("x-raw-bin", BINARY)))
    except grpc.RpcError as error:
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "as asked: 100 %")
        assert dict(error.trailing_metadata())["trail-x-raw-bin"] == BINARY
    else:
        raise AssertionError("no error")
    try:
        channel.unary_unary("/lab.Echo/Nothing")(b"")
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    else:
        raise AssertionError("no error")


def a_client_streams():
    name = gate()

    def pieces():
        yield b"one "
        # The server has it while this call has not ended.
        assert wait(name.encode()) == b"one "
        yield b"two"

    assert collect(pieces(), metadata=(("gate", name),)) == b"one two"


def a_server_streams():
    name = gate()
    call = follow(b"line", metadata=(("gate", name), ("x-end", "here")))
    assert next(call) == b"line one"
    open_gate(name.encode())
    assert list(call) == [b"line two"]
    assert dict(call.trailing_metadata())["trail-x-end"] == "here"


def both_stream():
    pieces = queue.SimpleQueue()
    call = converse(iter(pieces.get, None))
    for number in range(100):
        pieces.put(b"%d" % number)
        assert next(call) == b"%d" % number
    pieces.put(None)
    assert list(call) == []
    assert dict(call.trailing_metadata())["x-count"] == "100"


def a_cancelled_call_is_cancelled_at_the_server():
    name = gate()
    call = hang(b"", metadata=(("gate", name),))
    assert dict(call.initial_metadata())["x-deadline"] == "none"
    assert call.cancel()
    assert wait(name.encode()) == b"cancelled"
    assert call.code() is grpc.StatusCode.CANCELLED


def a_deadline_ends_the_call_at_both_ends():
    name = gate()
    call = hang(b"", metadata=(("gate", name),), timeout=1)
    assert dict(call.initial_metadata())["x-deadline"] == "some"
    assert wait(name.encode()) == b"cancelled"
    assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def messages_are_compressed():
    response = unary(bytes(4 * MIB), compression=grpc.Compression.Gzip, metadata=(("x-compress", "gzip"),))
    assert response == bytes(4 * MIB)


def a_message_of_64_mib_goes_both_ways():
    message = bytes(range(256)) * (64 * MIB // 256)
    assert unary(message) == message


def a_blocked_call_says_why():
    try:
        unary(b"")
    except grpc.RpcError as error:
        expect = "blocked by rule `no unary`: ü: 100 %; ask whoever runs the session to allow it"
        assert (error.code(), error.details()) == (grpc.StatusCode.PERMISSION_DENIED, expect), error
    else:
        raise AssertionError("no error")


checks = (metadata_arrives, an_error_keeps_status_message_and_trailers, a_client_streams, a_server_streams, both_stream,
          a_cancelled_call_is_cancelled_at_the_server, a_deadline_ends_the_call_at_both_ends, messages_are_compressed,
          a_message_of_64_mib_goes_both_ways, a_blocked_call_says_why)
run({f.__name__: f for f in checks}, sys.argv[2:])
channel.close()
