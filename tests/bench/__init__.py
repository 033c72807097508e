"""What the README's figures come from: `make bench` runs these, `make test` doesn't."""
