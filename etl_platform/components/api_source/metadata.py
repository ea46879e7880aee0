"""What a materialisation tells of the requests that it took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.api_source.asking import Asking, Counting

if TYPE_CHECKING:
    from etl_platform.sources.api.extraction import Extraction
    from etl_platform.sources.api.resources import Scalar

_SHOWN_CHARACTERS = 2_000


def extraction_metadata(
    found: Extraction, transport: Counting, ask: Asking, since: Scalar | None
) -> dict[str, dg.MetadataValue]:
    """Requests, pages and how they were found, waiting, retries, what was left out."""
    value = dg.MetadataValue
    told: dict[str, dg.MetadataValue] = {
        "requests": value.int(found.requests),
        "pages": value.int(found.pages),
        "pages_from_earlier_attempt": value.int(found.pages_from_spool),
        "records": value.int(found.records),
        "retries_of_requests": value.int(transport.retries),
        "seconds_waited_for_limits": value.float(round(transport.waited_s, 3)),
    }
    if found.pagination is not None:
        scheme = getattr(found.pagination.scheme, "type", "none")
        told["pagination"] = value.text(f"{scheme}: {found.pagination.why}")
    if found.duplicates:
        told["duplicate_records"] = value.int(found.duplicates)
    if found.one_by_one:
        told["pages_shifted"] = value.text("read again, one by one")
    if since is not None:
        told["read_since"] = value.text(str(since))
    if found.untyped:
        text = ", ".join(found.untyped)[:_SHOWN_CHARACTERS]
        told["fields_always_empty"] = value.text(text)
    if ask.graphql is not None and ask.graphql.told:
        lines = [f"{message} ({n} answers)" for message, n in ask.graphql.told.items()]
        told["errors_accepted"] = value.text("\n".join(lines)[:_SHOWN_CHARACTERS])
    return told


def not_judged(context: dg.AssetExecutionContext, key: dg.AssetKey) -> Iterator[dg.Output[None]]:
    """Tell Dagster that an asset's checks had nothing to judge: their last results stand."""
    for output, spec in context.assets_def.check_specs_by_output_name.items():
        if spec.asset_key == key:
            yield dg.Output(None, output_name=output)
