"""What the gate did, as Dagster events: check results, table metadata, failures.

Assets of components and the IO manager both publish through here, so that a table looks the same in
Dagster whatever made it.
"""
