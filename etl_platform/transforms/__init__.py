"""Declared transformations: from tables of the lake to tables of the lake."""
