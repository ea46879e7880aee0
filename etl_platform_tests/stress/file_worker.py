"""A process that loads files from a bucket when it is told to, and can be killed while it does.

``python -m etl_platform_tests.stress.file_worker`` speaks as ``api_worker`` does: ``ready``, and
for each line that it reads the process id of a child, then ``done``, ``killed`` or ``failed``.
"""

from __future__ import annotations

import os

import dagster as dg

from etl_platform.components.file_source.component import FileSourceComponent
from etl_platform.components.file_source.options import FileTableOptions
from etl_platform.components.options import Retrying
from etl_platform.resources import LakeResource
from etl_platform.sources.files import ingestion
from etl_platform_tests.stress.api_worker import serve

IMPORTED = (ingestion,)


def definitions() -> dg.Definitions:
    """Readings by their objects; ids are not negative."""
    component = FileSourceComponent(
        target_schema="shop",
        location=os.environ["FILES_LOCATION"],
        connection={
            "region": os.environ["FILES_REGION"],
            "endpoint_url": os.environ["FILES_ENDPOINT"],
            "access_key_id": "env://TEST_AWS_KEY_ID",
            "secret_access_key": "env://TEST_AWS_SECRET_KEY",
        },
        retry=Retrying(attempts=0),
        files={
            "readings": FileTableOptions.model_validate(
                {
                    "path": "readings/**/*.csv",
                    "deleted": "remove",
                    "profile": "off",
                    "contract": {
                        "rules": [
                            {"rule": "range", "column": "id", "min": 0, "action": "quarantine"}
                        ]
                    },
                }
            )
        },
    )
    made = component.build_defs(dg.ComponentTree.for_test().load_context)
    return dg.Definitions.merge(made, dg.Definitions(resources={"lake": LakeResource()}))


if __name__ == "__main__":
    serve(definitions)
