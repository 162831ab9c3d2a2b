"""`lab.Echo` by grpcio: `grpc_server.py CERTIFICATE KEY ADDRESS`. It does what ../node/grpc_server.js does; messages are
bytes, without a schema."""
import asyncio, sys
from collections import defaultdict

import grpc

gates = defaultdict(asyncio.Future)


def open_gate(name, value=b""):
    if not gates[name].done():
        gates[name].set_result(value)


def echoed(context, before):
    """Metadata `x-…` of the request, with something before each name."""
    return tuple((before + name, value) for name, value in context.invocation_metadata() if name.startswith("x-"))


def value(context, name):
    return dict(context.invocation_metadata()).get(name)


async def unary(request, context):
    if value(context, "x-compress"):
        context.set_compression(grpc.Compression.Gzip)
    await context.send_initial_metadata(echoed(context, ""))
    context.set_trailing_metadata(echoed(context, "trail-"))
    if failure := value(context, "x-fail"):
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, failure)
    return request


async def collect(requests, context):
    pieces = []
    async for piece in requests:
        pieces.append(piece)
        open_gate(value(context, "gate"), piece)
    return b"".join(pieces)


async def follow(request, context):
    context.set_trailing_metadata(echoed(context, "trail-"))
    yield request + b" one"
    await gates[value(context, "gate")]
    yield request + b" two"


async def converse(requests, context):
    count = 0
    async for piece in requests:
        count += 1
        yield piece
    context.set_trailing_metadata((("x-count", str(count)),))


async def hang(request, context):
    """Never ends by itself; the gate is opened when the client has given up."""
    deadline = "none" if context.time_remaining() is None else "some"
    try:
        await context.send_initial_metadata((("x-deadline", deadline),))
        await asyncio.Event().wait()
    finally:
        open_gate(value(context, "gate"), b"cancelled")
    yield request


async def open_one(request, context):
    open_gate(request.decode())
    return b""


async def wait(request, context):
    return await asyncio.shield(gates[request.decode()])


async def main(certificate, key, address):
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lab.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Follow": grpc.unary_stream_rpc_method_handler(follow),
        "Converse": grpc.stream_stream_rpc_method_handler(converse),
        "Hang": grpc.unary_stream_rpc_method_handler(hang),
        "Open": grpc.unary_unary_rpc_method_handler(open_one),
        "Wait": grpc.unary_unary_rpc_method_handler(wait),
    }),))
    credentials = grpc.ssl_server_credentials([(open(key, "rb").read(), open(certificate, "rb").read())])
    server.add_secure_port(f"{address}:443", credentials)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


asyncio.run(main(*sys.argv[1:]))
