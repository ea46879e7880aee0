"""Unusual values in the histories of metrics: detectors without tuning, and one verdict."""
