"""Bad input, counted: `make fuzz` runs many cases, `make test` 5,000."""
