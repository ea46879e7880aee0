"""What was found about a source, as the pipeline that would load it: data, not yet text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from etl_platform.core.names import TableName
from etl_platform.generate.pipeline.yaml_text import At, Yaml


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference that stands in a file, and what is to be set so that it resolves."""

    reference: str
    meaning: str


@dataclass(frozen=True, slots=True)
class StagedColumn:
    """A column of a loaded table, and what people call it from there on."""

    source: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class StagedTable:
    """A table that gets a staging model: its columns as identifiers, described."""

    table: TableName
    columns: tuple[StagedColumn, ...]
    description: str | None = None


@dataclass(frozen=True)
class Source:
    """One component, and staging models over its tables.

    Attributes:
        name: folder below the project's definitions.
        type: of the component.
        attributes: of the component.
        notes: comments by the place in the document that they stand above.
        staged: tables whose columns are known before anything is loaded.
        state: of a component that keeps what the source said, as its JSON; None for others.
        secrets: what has to be set.
        told: what whoever runs the command should know, a line each.
    """

    name: str
    type: str
    attributes: Mapping[str, Yaml]
    notes: Mapping[At, Sequence[str]] = field(default_factory=dict[At, Sequence[str]])
    staged: tuple[StagedTable, ...] = ()
    state: str | None = None
    secrets: tuple[Secret, ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """What is asked for, whatever the kind of source.

    Attributes:
        uri: where the source is; may hold a password, and is never shown.
        name: of the folder, the schema and jobs.
        secret: name of the environment's variable that is to hold what is secret.
        budget_s: seconds that looking may take; what did not fit is told.
        existing: attributes of the component that is there already.
        schemas: of a database; None for all.
        region, endpoint_url: of AWS, or of what stands for it.
    """

    uri: str
    name: str
    secret: str
    budget_s: float = 10.0
    existing: Mapping[str, Yaml] = field(default_factory=dict[str, Yaml])
    schemas: tuple[str, ...] | None = None
    region: str | None = None
    endpoint_url: str | None = None


Files = Mapping[str, str]
"""Path below the project's definitions -> text."""
