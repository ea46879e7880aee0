"""What a materialisation tells of its objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.file_source.bad_files import CHECK
from etl_platform.core.secrets import redact

if TYPE_CHECKING:
    from etl_platform.components.file_source.reckoning import Reckoning
    from etl_platform.sources.files.discovery import Looked
    from etl_platform.sources.files.ingested import Ingested

_SHOWN = 10


def look_metadata(looked: Looked) -> dict[str, dg.MetadataValue]:
    """What was seen of the place."""
    value = dg.MetadataValue
    told: dict[str, dg.MetadataValue] = {"files_listed": value.int(looked.listed)}
    for name, count in (
        ("files_waiting", looked.waiting),
        ("files_too_young", looked.unsettled),
        ("files_known_to_be_bad", looked.bad),
        ("names_not_utf8", looked.unnamed),
    ):
        if count:
            told[name] = value.int(count)
    return told


def load_metadata(
    looked: Looked, ingested: Ingested, reckoning: Reckoning, seconds: float
) -> dict[str, dg.MetadataValue]:
    """Objects read, written again, gone and bad, and their bytes."""
    value = dg.MetadataValue
    loaded = list(ingested.loaded)
    told = {
        **look_metadata(looked),
        "files_loaded": value.int(len(loaded)),
        "files_rewritten": value.int(reckoning.rewritten),
        "files_deleted": value.int(len(reckoning.gone)),
        "files_bad": value.int(len(reckoning.bad)),
        "bytes_read": value.int(sum(one.size_bytes for one in loaded)),
        "seconds/read": value.float(round(seconds, 3)),
    }
    if ingested.reused:
        told["files_from_earlier_attempt"] = value.int(ingested.reused)
    if ingested.changed:
        told["files_changed_meanwhile"] = value.int(len(ingested.changed))
    if reckoning.bad:
        lines = [f"{one.key}: {one.why}"[:200] for one in reckoning.bad[:_SHOWN]]
        told["bad_files"] = value.text(redact("\n".join(lines)))
    return told


def not_judged(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """Tell Dagster that an asset's checks had nothing to judge: their last results stand."""
    for output, spec in context.assets_def.check_specs_by_output_name.items():
        if spec.name != CHECK:
            yield dg.Output(None, output_name=output)
