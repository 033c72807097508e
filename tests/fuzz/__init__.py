"""Random bad input. `make fuzz` sends many cases, `make test` 5,000."""
