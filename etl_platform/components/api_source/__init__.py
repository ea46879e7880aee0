"""APIs as sources: one asset per resource."""
