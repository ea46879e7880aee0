"""A source -> the files that declare it: a component, and a staging model for each known table."""

from __future__ import annotations

import re

from etl_platform.core.inert import prose
from etl_platform.generate.pipeline.model import Files, Source, StagedTable
from etl_platform.generate.pipeline.yaml_text import Yaml, block, document

COMPONENT = "defs.yaml"
_STAGING = "etl_platform.SqlModelsComponent"
_RESERVED = re.compile(
    "all|analyse|analyze|and|any|array|as|asc|asymmetric|both|case|cast|check|collate"
    "|column|constraint|create|cross|date|day|default|deferrable|desc|describe|distinct|do"
    "|else|end|except|exists|false|fetch|for|foreign|from|full|grant|group|having|hour|in"
    "|initially|inner|intersect|interval|into|is|join|lambda|lateral|leading|left|limit"
    "|month|natural|not|null|offset|on|only|or|order|outer|pivot|pivot_longer|pivot_wider"
    "|placing|primary|qualify|references|returning|right|select|show|some|summarize"
    "|symmetric|table|then|time|timestamp|to|trailing|true|union|unique|unpivot|using"
    "|values|variadic|when|where|window|with|year"
)


def files_of(source: Source) -> Files:
    """Every file below the project's definitions."""
    made = {
        f"{source.name}/{COMPONENT}": document(
            {"type": source.type, "attributes": source.attributes}, source.notes
        )
    }
    if source.staged:
        folder = f"{source.name}_staging"
        made[f"{folder}/{COMPONENT}"] = document(
            {
                "type": _STAGING,
                "attributes": {"target_schema": folder, "defaults": {"automation": "eager"}},
            },
            {
                (): (
                    f"Staging: each table of {source.name} as a view with the names that models",
                    "use. Renames and casts belong here, and only here.",
                )
            },
        )
        for one in source.staged:
            made[f"{folder}/{one.table.name}.sql"] = staging_sql(one)
    return made


def staging_sql(one: StagedTable) -> str:
    """The model of one table; each column is a line of its own, for merges."""
    header: dict[str, Yaml] = {
        "description": one.description or f"Staged from {one.table.sql}.",
        "materialization": "view",
    }
    told = {each.name: prose(each.description) for each in one.columns if each.description}
    if told:
        header["columns"] = told
    lines = "".join(
        f"    {identifier(each.source)}"
        + ("" if each.source == each.name else f" AS {identifier(each.name)}")
        + ",\n"
        for each in one.columns
    )
    table = f"{identifier(one.table.schema)}.{identifier(one.table.name)}"
    return f"/*\n{block(header, {})}*/\nSELECT\n{lines}FROM {table}\n"


def identifier(name: str) -> str:
    """A name in SQL, quoted where it is more than a lower-case word."""
    plain = name.replace("_", "a").isalnum() and name.isascii() and name == name.lower()
    if plain and not name[0].isdigit() and not _RESERVED.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'
