"""Alerts: rules, routes and channels in YAML, and the sensor that follows Dagster's event log."""
