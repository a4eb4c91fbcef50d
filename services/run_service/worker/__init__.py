"""The worker processes: `pool` in the service's process, everything else in theirs."""
