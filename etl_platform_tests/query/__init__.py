"""Tests of etl_platform.query."""
