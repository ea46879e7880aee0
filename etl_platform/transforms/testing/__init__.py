"""Unit tests of models: given these rows of the inputs, expect those of the table."""
