"""JSON: parsed together by Arrow's reader, screened by DuckDB, the doubtful ones one by one."""
