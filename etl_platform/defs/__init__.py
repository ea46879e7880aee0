"""The components of this repository, in YAML and SQL: one folder each."""
