"""What every other folder stands on: errors, settings, names, types, secret references, DuckDB sessions."""
