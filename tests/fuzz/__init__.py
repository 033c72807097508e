"""Bad input, counted: `make fuzz` runs many cases, `make test` some 10,000."""
