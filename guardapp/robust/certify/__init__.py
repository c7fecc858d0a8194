"""What no attack within bounds can ever do: proved lower bounds on robust accuracy."""
