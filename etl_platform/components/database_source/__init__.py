"""Databases as sources: reflected tables and custom queries, each an asset."""
