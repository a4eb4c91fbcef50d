"""powerfill.config.v1.ConfigService: the contract of a later version; until then every RPC answers NOT_YET."""

from powerfill.config.v1 import config_service_pb2_grpc


class ConfigServicer(config_service_pb2_grpc.ConfigServiceServicer):
    """The desk's policy. RPCs that are not built yet are inherited; `shared.rpc.calls` answers NOT_YET for them."""
