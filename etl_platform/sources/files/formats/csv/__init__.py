"""CSV, TSV and the like."""
