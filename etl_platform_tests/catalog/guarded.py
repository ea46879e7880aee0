"""A lake with a catalogue and policies, for tests of what roles find."""

from __future__ import annotations

from pathlib import Path

from etl_platform import Platform


def guarded(place: Path, policies: str) -> Platform:
    """An empty one in a folder."""
    (place / "policies.yaml").write_text(policies)
    return Platform.open(
        lake_uri=str(place / "lake"),
        metastore_url=f"sqlite:///{place}/metastore.db",
        catalog_dir=str(place / "catalogue"),
        temp_dir=str(place / "tmp"),
        policies=str(place / "policies.yaml"),
    )
