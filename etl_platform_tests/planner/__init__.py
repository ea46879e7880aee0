"""Tests of etl_platform.planner."""
