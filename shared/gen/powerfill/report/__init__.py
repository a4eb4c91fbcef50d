"""Generated from protos/ by shared.rpc.codegen; do not edit."""
