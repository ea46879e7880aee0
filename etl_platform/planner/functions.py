"""Which of DuckDB's functions a statement over the lake may call."""

from __future__ import annotations

TABLE_FUNCTIONS = frozenset(
    {"generate_series", "range", "unnest", "repeat", "json_each", "json_tree", "values"}
)
"""The calls allowed in FROM: they make rows of their arguments. All others read something else:
files, the network, the engine's catalogue, or a text that is run as SQL."""

SCALAR_FUNCTIONS_REFUSED = frozenset(
    {
        # the process around the engine
        "getenv",
        "read_text",
        "read_blob",
        "inet_client_addr",
        "inet_client_port",
        "inet_server_addr",
        "inet_server_port",
        # the session: settings, variables, sequences, other statements
        "current_setting",
        "set_config",
        "getvariable",
        "nextval",
        "currval",
        "setval",
        "setseed",
        "current_query",
        "current_query_id",
        "current_connection_id",
        "current_transaction_id",
        "in_search_path",
        "txid_current",
        "write_log",
        "parse_duckdb_log_message",
        # the engine's catalogue and internals
        "pg_get_viewdef",
        "pg_get_constraintdef",
        "pg_get_expr",
        "format_type",
        "obj_description",
        "shobj_description",
        "index_key",
        "get_block_size",
        "stats",
        "vector_type",
        # SQL in disguise, and waiting
        "json_serialize_sql",
        "json_serialize_plan",
        "json_deserialize_sql",
        "sleep_ms",
        "pg_sleep",
    }
)
"""Refused wherever an expression stands. Everything else computes from its arguments (or is the
clock or a random number)."""

INTERNAL_PREFIX = "__internal_"
"""Functions that only DuckDB's optimizer should call: their arguments are not checked."""

SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog"})
"""Where DuckDB describes itself."""
