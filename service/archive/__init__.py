"""The archive: one row for each survey in an SQL database, made from the records, and kept for years."""
