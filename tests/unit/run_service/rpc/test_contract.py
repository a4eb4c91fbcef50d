"""Every RPC of the contract has its page, or is inherited to answer NOT_YET."""

import inspect

from powerfill.config.v1.config_service_pb2_grpc import ConfigServiceServicer
from powerfill.run.v1 import run_service_pb2

from services.run_service.rpc.config_servicer import ConfigServicer
from services.run_service.rpc.run_servicer import RunServicer


def test_every_rpc_of_run_service_is_an_async_method_of_its_servicer() -> None:
    for rpc in run_service_pb2.DESCRIPTOR.services_by_name["RunService"].methods:
        method = vars(RunServicer).get(rpc.name)
        expected = inspect.isasyncgenfunction if rpc.server_streaming else inspect.iscoroutinefunction
        assert expected(method), rpc.name


def test_the_configuration_is_served_by_the_generated_base_until_it_is_built() -> None:
    assert issubclass(ConfigServicer, ConfigServiceServicer)
