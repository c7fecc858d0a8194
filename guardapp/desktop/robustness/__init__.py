"""The Robustness page: what is checked, how, and what came of it."""
