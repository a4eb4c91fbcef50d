"""The output tables of a run, one module a group, each a pure function of the ledger."""
