"""Checkpoint encryption, signing and the export bundle with its passport."""
