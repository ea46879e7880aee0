"""Alembic's environment for the metastore; run through ``etl_platform.metastore.migrate``."""
