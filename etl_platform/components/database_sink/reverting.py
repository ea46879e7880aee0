"""A job that takes a load back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import dagster as dg

from etl_platform.components.database_sink.resource import DatabaseSinkResource
from etl_platform.publishing.failures import Retries, run_errors
from etl_platform.sinks.database.load import Target


def revert_job(
    name: str, sink_key: str, targets: Mapping[str, Target], retries: Retries
) -> dg.JobDefinition:
    """``<name>_revert``: put back the rows that the newest load of a table changed.

    Args:
        targets: by the names under which they are declared.
    """

    def revert(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        sink = cast("DatabaseSinkResource", getattr(context.resources, sink_key)).sink()
        with run_errors(context.retry_number, retries):
            receipt = sink.revert(targets[config["table"]], config.get("batch"))
        context.log.info(
            "%s: load %s is undone, %s rows put back, %s rows taken away",
            receipt.target,
            receipt.batch,
            f"{receipt.rows_inserted:,}",
            f"{receipt.rows_deleted:,}",
        )

    # Dagster reads this annotation and does not understand it as text.
    revert.__annotations__ = {"context": dg.OpExecutionContext}
    op = dg.op(
        name=f"{name}_revert_load",
        required_resource_keys={sink_key},
        config_schema={
            "table": dg.Field(
                dg.Enum(f"{name}_table", [dg.EnumValue(target) for target in targets]),
                description="The table as it is declared.",
            ),
            "batch": dg.Field(
                str, is_required=False, description="The load; default: the newest one."
            ),
        },
    )(revert)

    def graph() -> None:
        op()

    return dg.job(name=f"{name}_revert", description="Take a load back.")(graph)
