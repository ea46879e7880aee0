"""Measurements of the platform beside its peers; run with ``make bench``."""
