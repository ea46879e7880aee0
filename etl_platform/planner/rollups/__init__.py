"""Aggregations answered from tables that hold finer ones: what matches, and why something does not.

A statement's SELECT and a rollup's are both read into a :class:`~.shape.Shape`; ``matching`` writes
the first over the second's columns, or raises :class:`~.reasons.NotUsable` with the reason.
"""
