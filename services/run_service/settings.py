"""What the run service can be told by its environment: variables POWERFILL_<NAME>."""

import os
import secrets
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one server. Raises pydantic's ValidationError naming the variable that cannot be."""

    model_config = SettingsConfigDict(env_prefix="POWERFILL_", frozen=True, hide_input_in_errors=True)

    home: Path = Field(default_factory=lambda: user_data_path("powerfill"))
    """Where the registry is unless `registry` says otherwise."""
    registry: Path | None = None
    """The file that says where each tenant's database is; `home`/tenants.yaml by default."""
    run_address: str = "127.0.0.1:50051"
    """Where to listen: `host:port` on a loopback interface (port 0: any free one) or `unix:PATH`."""
    page_token_secret: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)), min_length=16)
    """Signs page tokens. Without one each start has its own, and tokens end with it; replicas must share one."""
    workers: int = Field(default_factory=lambda: min(2, os.cpu_count() or 1), ge=0, le=256)
    """Worker processes: how many runs are at work at one time. With 0 the server answers questions and executes nothing."""
    answer_processes: int = Field(default=1, ge=1, le=64)
    """Processes that compute answers (ExplainLoan, CompareRuns, ValidateAllocation) beside the runs: how many at one time."""
    queue_size: int = Field(default=64, ge=1)
    """How many runs may wait for a worker."""
    lease_s: float = Field(default=30.0, gt=0)
    """After so long without a heartbeat a run is taken over."""
    heartbeat_s: float = Field(default=2.0, gt=0)
    """How often the leases of the runs held are extended."""
    sweep_s: float = Field(default=5.0, gt=0)
    """How often all tenants are looked through for runs that nobody holds."""
    watch_heartbeat_s: float = Field(default=10.0, gt=0)
    """After so long a silence a watcher gets a heartbeat."""
    drain_s: float = Field(default=20.0, ge=0)
    """How long runs at work may go on when the server stops; then they are left to the next server."""
    max_open_databases: int = Field(default=64, ge=2)
    database_idle_s: float = Field(default=300.0, gt=0)
    statement_timeout_s: float = Field(default=60.0, gt=0)
    log_json: bool = True
    log_level: str = "INFO"

    @property
    def registry_file(self) -> Path:
        """The tenant registry's file."""
        return self.registry or self.home / "tenants.yaml"
