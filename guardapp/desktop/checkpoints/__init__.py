"""The Checkpoints page: protect, open and verify."""
