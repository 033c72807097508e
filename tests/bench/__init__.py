"""The measurements behind docs/benchmarks.md: `make bench` runs these, `make test` doesn't."""
