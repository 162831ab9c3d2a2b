"""A service whose messages have a type: `typed.py CERTIFICATE KEY ADDRESS` serves lab.Chat, `typed.py talk` talks to it at
`grpcio.test` and prints each answer as it comes, before it says the next; `typed.py proto` prints the schema."""
import os, queue, sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = """syntax = "proto3";
package lab;
message Line { string text = 1; int64 number = 2; }
service Chat { rpc Converse(stream Line) returns (stream Line); }
"""

file = descriptor_pb2.FileDescriptorProto(name="chat.proto", package="lab", syntax="proto3")
line = file.message_type.add(name="Line")
line.field.add(name="text", number=1, type=9, label=1)
line.field.add(name="number", number=2, type=3, label=1)
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
Line = message_factory.GetMessageClass(pool.FindMessageTypeByName("lab.Line"))


def converse(lines, context):
    for said in lines:
        yield Line(text=f"heard {said.text}", number=said.number + 1)


def serve(certificate, key, address):
    server = grpc.server(futures.ThreadPoolExecutor())
    method = grpc.stream_stream_rpc_method_handler(converse, Line.FromString, Line.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lab.Chat", {"Converse": method}),))
    with open(key, "rb") as key, open(certificate, "rb") as certificate:
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    server.add_secure_port(f"{address}:443", credentials)
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def talk():
    with open(os.environ["SSL_CERT_FILE"], "rb") as file:
        channel = grpc.secure_channel("grpcio.test:443", grpc.ssl_channel_credentials(file.read()))
    said = queue.SimpleQueue()
    call = channel.stream_stream("/lab.Chat/Converse", Line.SerializeToString, Line.FromString)(iter(said.get, None))
    for number in range(5):
        said.put(Line(text=f"secret {number}", number=number))
        answer = next(call)
        print(answer.text, answer.number, flush=True)
    said.put(None)
    assert list(call) == [] and call.code() is grpc.StatusCode.OK


match sys.argv[1:]:
    case ["talk"]:
        talk()
    case ["proto"]:
        print(PROTO, end="")
    case [certificate, key, address]:
        serve(certificate, key, address)
