"""The De-identify page: a table, what happens to its columns, and what is left of risk and utility."""
