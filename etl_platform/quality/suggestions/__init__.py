"""Contracts proposed from what was observed."""
