"""Columns from outside of the lake: asked for the keys that there are, joined to the rows."""
