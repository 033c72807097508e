"""Ninety invented days of a support team, for a look at the operator's window."""
