"""What Dagster loads: everything below ``defs/``, the lake, and the IO manager of Python assets."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from etl_platform.io_manager import LakeIOManager
from etl_platform.resources import LakeResource


@dg.definitions
def defs() -> dg.Definitions:
    """Load the components without connecting to anything."""
    lake = LakeResource()
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(resources={"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)}),
    )
