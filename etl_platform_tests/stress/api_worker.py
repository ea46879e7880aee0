"""A process that loads the orders of an API when it is told to, and can be killed while it does.

``python -m etl_platform_tests.stress.api_worker`` prints ``ready`` when everything is imported.
For each line that it reads it forks a child that makes one run of the asset ``shop/orders``, prints
the child's process id, and then ``done``, ``killed`` or ``failed``. The child starts as a run
worker does, without threads and without anything open, but has nothing left to import.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

import dagster as dg
import deltalake
import duckdb
import pandera.polars
import polars as pl
import pyarrow.dataset

from etl_platform.components.api_source.component import ApiSourceComponent
from etl_platform.components.api_source.options import ApiTableOptions
from etl_platform.components.options import Retrying
from etl_platform.publishing import publish
from etl_platform.resources import LakeResource
from etl_platform.sources.api import extraction, transport

IMPORTED = (
    deltalake,
    duckdb,
    pandera.polars,
    pl,
    pyarrow.dataset,
    publish,
    extraction,
    transport,
)
CONCURRENCY = 4


def definitions() -> dg.Definitions:
    """Orders by update, their lines as a table of their own."""
    component = ApiSourceComponent(
        target_schema="shop",
        connection={
            "base_url": "env://SHOP_API",
            "auth": {"type": "bearer", "token": "env://SHOP_TOKEN"},
            "limits": {"concurrent": CONCURRENCY},
        },
        retry=Retrying(attempts=0),
        resources={
            "orders": ApiTableOptions.model_validate(
                {
                    "path": "/orders",
                    "primary_key": ["id"],
                    "incremental": {"cursor": "updated_at", "param": "updated_since"},
                    "pagination": {
                        "type": "offset",
                        "param": "after",
                        "total_records": "$.total",
                        "limit": int(os.environ["SHOP_PAGE"]),
                        "limit_param": "limit",
                    },
                    "nested": "explode",
                    "children": {"lines": {"profile": "off"}},
                    "profile": "off",
                    "contract": {"rules": [{"rule": "unique", "column": "id"}]},
                }
            )
        },
    )
    made = component.build_defs(dg.ComponentTree.for_test().load_context)
    return dg.Definitions.merge(made, dg.Definitions(resources={"lake": LakeResource()}))


def load(definitions: Callable[[], dg.Definitions]) -> bool:
    job = definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=True).success


def serve(definitions: Callable[[], dg.Definitions]) -> None:
    """Make runs of all assets until the input ends."""
    print("ready", flush=True)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if load(definitions) else 1
            except BaseException:  # noqa: BLE001 # told, and the child ends in any case
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)
        _, how = os.waitpid(child, 0)
        if os.WIFSIGNALED(how) and os.WTERMSIG(how) == signal.SIGKILL:
            print("killed", flush=True)
        else:
            print("done" if how == 0 else "failed", flush=True)


if __name__ == "__main__":
    serve(definitions)
