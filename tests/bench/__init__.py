"""Measurements for docs/benchmarks.md. `make bench` and `make figures` run them, `make test` tests their tools."""
