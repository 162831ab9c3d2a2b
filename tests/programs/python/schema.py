"""grpc.health.v1.Health by grpcio: `schema.py CERTIFICATE KEY ADDRESS` serves it, with reflection; `schema.py reflect` asks
`grpcio.test` what it speaks, `schema.py call NAME` calls it, `schema.py descriptors FILE` writes its descriptors."""
import os, sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc


def channel():
    with open(os.environ["SSL_CERT_FILE"], "rb") as file:
        return grpc.secure_channel("grpcio.test:443", grpc.ssl_channel_credentials(file.read()))


def serve(certificate, key, address):
    server = grpc.server(futures.ThreadPoolExecutor())
    servicer = health.HealthServicer()
    servicer.set("needle", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection(["grpc.health.v1.Health", reflection.SERVICE_NAME], server)
    with open(key, "rb") as key, open(certificate, "rb") as certificate:
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    server.add_secure_port(f"{address}:443", credentials)
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


match sys.argv[1:]:
    case ["reflect"]:
        with channel() as open_channel:
            ask = reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health")
            answers = reflection_pb2_grpc.ServerReflectionStub(open_channel).ServerReflectionInfo(iter([ask]))
            print(sum(len(answer.file_descriptor_response.file_descriptor_proto) for answer in answers))
    case ["call", name]:
        with channel() as open_channel:
            answer = health_pb2_grpc.HealthStub(open_channel).Check(health_pb2.HealthCheckRequest(service=name))
            print(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
    case ["descriptors", path]:
        files = descriptor_pb2.FileDescriptorSet()
        health_pb2.DESCRIPTOR.CopyToProto(files.file.add())
        with open(path, "wb") as file:
            file.write(files.SerializeToString())
    case [certificate, key, address]:
        serve(certificate, key, address)
