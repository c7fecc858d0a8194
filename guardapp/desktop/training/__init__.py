"""The Private training page."""
