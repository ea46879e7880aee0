"""Answers as records, and records as Arrow."""
