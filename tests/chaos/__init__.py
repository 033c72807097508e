"""The faults of issue B, each with a control that must fail: `make chaos` runs the long versions, tests the short."""
