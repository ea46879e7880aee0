"""What every other folder stands on: errors, settings, names, types, secrets, DuckDB sessions."""
