"""Dataset de-identification."""
