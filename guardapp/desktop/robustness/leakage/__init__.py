"""The second kind of check on the Robustness page: what a model gives away about its training data."""
