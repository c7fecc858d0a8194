"""Whether a file could run something when it is loaded, found out by reading it and never by loading it."""
