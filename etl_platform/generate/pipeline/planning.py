"""What generating would change in a project: known before anything is written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import to_identifier
from etl_platform.generate.pipeline.drift import ABSENT, Conflict, merged
from etl_platform.generate.pipeline.editing import edited, read_yaml
from etl_platform.generate.pipeline.model import Files, Source
from etl_platform.generate.pipeline.text_merge import merged_text
from etl_platform.generate.pipeline.writing import COMPONENT, files_of
from etl_platform.generate.pipeline.yaml_text import Yaml

GENERATED = ".generated.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One file: its text now (None: there is none) and afterwards (None: it goes)."""

    path: str
    before: str | None
    after: str | None

    @property
    def diff(self) -> str:
        """As ``diff -u`` writes it."""
        return "".join(
            unified_diff(
                (self.before or "").splitlines(keepends=True),
                (self.after or "").splitlines(keepends=True),
                f"a/{self.path}",
                f"b/{self.path}",
            )
        )


@dataclass(frozen=True)
class Plan:
    """Changes of files that people read, conflicts, and what is only for the platform."""

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    records: Files

    @property
    def writes_over(self) -> tuple[Change, ...]:
        """Changes of files that are there."""
        return tuple(one for one in self.changes if one.before is not None)

    def apply(self, defs: Path) -> None:
        """Write everything; each file is whole at any time."""
        for one in self.changes:
            if one.after is None:
                (defs / one.path).unlink()
            else:
                _write(defs / one.path, one.after)
        for path, text in self.records.items():
            _write(defs / path, text)


def existing_attributes(defs: Path, name: str) -> Mapping[str, Yaml]:
    """Attributes of the component that a folder has already; empty when there is none.

    Raises:
        ConfigError: its file cannot be read.
    """
    path = defs / name / COMPONENT
    if not path.exists():
        return {}
    found = read_yaml(path.read_text(encoding="utf-8"), str(path)).get("attributes")
    return found if isinstance(found, Mapping) else {}


def plan(defs: Path, source: Source) -> Plan:
    """Compare what would be generated with what was, and with what people made of it.

    Raises:
        ConfigError: a file cannot be read or changed in place.
    """
    record = f"{source.name}/{GENERATED}"
    base = _base(defs / record)
    new = files_of(source)
    changes: list[Change] = []
    conflicts: list[Conflict] = []
    for path in dict.fromkeys((*new, *base)):
        place = defs / path
        ours = place.read_text(encoding="utf-8") if place.exists() else None
        after = _after(source, path, base.get(path), ours, new.get(path), conflicts)
        if after != ours:
            changes.append(Change(path, ours, after))
    text = json.dumps(
        {"format": _FORMAT, "files": {path: one.splitlines() for path, one in new.items()}},
        indent=0,
        ensure_ascii=True,
    )
    records = {record: text + "\n"}
    if source.state is not None:
        records |= {f".local_defs_state/{_state_folder(defs, source)}/state": source.state}
        records |= {".local_defs_state/.gitignore": "*\n*/\n.*"}
    return Plan(tuple(changes), tuple(conflicts), records)


def _after(
    source: Source,
    path: str,
    base: str | None,
    ours: str | None,
    new: str | None,
    conflicts: list[Conflict],
) -> str | None:
    if ours is None:
        # What people deleted stays deleted.
        return new if base is None else None
    if ours in (base, new):
        return new
    if new == base:
        return ours
    if new is None:
        conflicts.append(
            Conflict(path, (), "its table is gone, and it was edited here: kept, delete it by hand")
        )
        return ours
    if not path.endswith(".yaml"):
        found = None if base is None else merged_text(base, ours, new)
        if found is None:
            why = "kept; the source changed lines that were edited here"
            conflicts.append(Conflict(path, (), why))
            return ours
        return found
    said, old = read_yaml(ours, path), read_yaml(base or "", path)
    wanted = merged(old, said, read_yaml(new, path), path, (), conflicts)
    if wanted is ABSENT or not isinstance(wanted, Mapping):
        raise ConfigError(f"{path} is not a YAML mapping")
    notes = source.notes if path == f"{source.name}/{COMPONENT}" else {}
    return edited(ours, wanted, notes, base or "", path)


def _base(path: Path) -> Files:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise ConfigError(f"{path} was written by another release", fix="delete it")
        return {name: "\n".join([*lines, ""]) for name, lines in found["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged: {error}", fix="delete it") from error


def _state_folder(defs: Path, source: Source) -> str:
    said = existing_attributes(defs, source.name)
    name = said.get("name") or said.get("target_schema") or source.attributes["target_schema"]
    return re.sub(r"[^A-Za-z0-9._-]", "__", f"DatabaseSource[{to_identifier(str(name))}]")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
