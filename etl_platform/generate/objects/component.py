"""What was found as a component of a project: a place of files with its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Any

from etl_platform.core.names import to_identifier

if TYPE_CHECKING:
    from etl_platform.generate.objects.model import ObjectsInspection, TableCandidate

TYPE = "etl_platform.FileSourceComponent"
_SHOWN_BAD = 3


def component_yaml(
    found: ObjectsInspection, connection: Mapping[str, str | None] | None = None
) -> str:
    """A definition of all tables that can be read, with what is to be known of each as a comment.

    Args:
        connection: what the place was reached by; keys are references.
    """
    name = to_identifier(found.location.rstrip("/").rpartition("/")[2])
    attributes: dict[str, Any] = {
        "target_schema": name if name.strip("_") else "landing",
        "location": found.location,
    }
    given = {key: value for key, value in (connection or {}).items() if value is not None}
    if given:
        attributes["connection"] = given
    head = _dumped({"type": TYPE}) + "attributes:\n" + indent(_dumped(attributes), "  ")
    readable = [one for one in found.tables if one.columns]
    left_out = _comments(
        [
            f"left out: {one.path}: {'; '.join([*one.questions, *(b.reason for b in one.bad[:1])])}"
            for one in found.tables
            if not one.columns
        ]
    )
    if not readable:
        return f"{head}  files: {{}}\n{left_out}"
    return head + "  files:\n" + indent("".join(map(_table, readable)), "    ") + left_out


def declaration(one: TableCandidate) -> dict[str, Any]:
    """The options of one table, as a file source takes them."""
    declared: dict[str, Any] = {"path": one.path}
    if one.read:
        declared["read"] = one.read
    return declared


def _table(one: TableCandidate) -> str:
    told = [f"{one.objects:,} object{'' if one.objects == 1 else 's'}"]
    if one.estimate is not None:
        told.append(f"{'' if one.estimate.exact else 'about '}{one.estimate.rows:,} rows")
    lines = [", ".join(told), *(f"beware: {text}" for text in one.suspicions)]
    lines += [f"differs: {text}" for text in one.disagreements]
    lines += [f"to declare: {text}" for text in one.questions]
    lines += [f"cannot be read: {bad.key}: {bad.reason}" for bad in one.bad[:_SHOWN_BAD]]
    lines += [
        f"one partition for each {each.name}: partition: {{match: '(?:^|/){each.name}=([^/]+)/'}}"
        for each in one.partitions
        if each.hive
    ]
    return _comments(lines) + _dumped({one.name: declaration(one)})


def _comments(lines: Sequence[str]) -> str:
    return "".join(f"# {' '.join(text.split())}\n" for text in lines)


def _dumped(value: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=100)
