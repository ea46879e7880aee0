"""Where a window of a stream is kept."""

from __future__ import annotations

from dataclasses import dataclass

from etl_platform.core.names import TableName
from etl_platform.transforms.windows.enrichment import Enrichment
from etl_platform.transforms.windows.progress import declared
from etl_platform.transforms.windows.spec import WindowSpec


@dataclass(frozen=True, slots=True)
class StreamWindow:
    """A window over the table of a stream, and the tables that it makes beside it."""

    stream: TableName
    spec: WindowSpec
    enrichment: Enrichment | None = None

    @property
    def results(self) -> TableName:
        """``<schema>.<window>``"""
        return TableName(self.stream.schema, self.spec.name)

    @property
    def partials(self) -> TableName:
        """Partial aggregates, partitioned as the stream."""
        return TableName(self.stream.schema, f"{self.spec.name}__partials")

    @property
    def progress(self) -> TableName:
        """What is known of each batch, partitioned as the stream."""
        return TableName(self.stream.schema, f"{self.spec.name}__progress")

    @property
    def digest(self) -> str:
        """Of everything that partial aggregates depend on, besides the rows."""
        return declared(self.spec, self.enrichment)
