"""Engines that turn a statement over lake tables into a stream of rows."""
