"""Tests of etl_platform.compute."""
