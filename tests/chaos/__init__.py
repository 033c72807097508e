"""The table of faults. Each fault has a control that must fail. `make chaos` runs the long forms, tests the short."""
