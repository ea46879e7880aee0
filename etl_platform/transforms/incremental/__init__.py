"""What changed since a model's last run, and how little has to be computed for the same rows."""
