"""The weekly digest for operators: the numbers of a week, what changed, and what is broken."""
