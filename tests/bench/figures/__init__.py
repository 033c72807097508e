"""The figures of `make bench`, a module for each subject. Its `measure` yields them."""
