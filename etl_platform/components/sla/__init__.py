"""SLA: terms in YAML, what Dagster knows of them, and the asset that keeps how they were met."""
