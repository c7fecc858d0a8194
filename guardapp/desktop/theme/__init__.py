"""Colour, length, type and icons, all from one token file, switched live."""
