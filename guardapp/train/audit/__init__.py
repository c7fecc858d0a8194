"""Auditing a training by one run of it: canaries, guesses, and what a right guess proves. Imports no torch here."""
