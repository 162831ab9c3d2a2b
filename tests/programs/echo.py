"""A server that echoes thousands of connections at once, on port 7001 of every address."""
import asyncio, resource

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "0.0.0.0", 7001, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
