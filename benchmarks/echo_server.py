"""A bare gRPC server that sends back what it gets: what the transport alone costs, measured beside the services.

python -m benchmarks.echo_server ADDRESS
"""

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio

METHOD = "/benchmark.Echo/Call"


async def _echo(request: bytes, _context: object) -> bytes:
    return request


async def serve(address: str) -> None:
    """Until it is ended."""
    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(_echo)
    service, _, method = METHOD.strip("/").partition("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
