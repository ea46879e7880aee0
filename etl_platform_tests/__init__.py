"""Tests of etl_platform; the folders mirror the package."""
