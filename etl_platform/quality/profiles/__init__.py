"""Mergeable statistics of columns, and what a profile says from them."""
