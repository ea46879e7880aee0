"""Tests of etl_platform.transforms."""
