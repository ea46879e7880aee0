"""One table of the lake as one Dagster asset, the same whatever fills it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.stopping import within
from etl_platform.publishing.anomaly_checks import anomaly_specs, with_anomalies
from etl_platform.publishing.checks import check_specs, referenced_tables
from etl_platform.publishing.failure_memory import remembered
from etl_platform.publishing.failures import Retries, run_errors
from etl_platform.publishing.requirements import check_requirements, refuse_unread
from etl_platform.publishing.uses import recorded
from etl_platform.side_by_side import SIDE_BY_SIDE
from etl_platform.structured_logs import step_makes

if TYPE_CHECKING:
    from etl_platform.quality import Contract

LAKE_KEY = "lake"
"""Resource key under which every component expects a ``LakeResource``."""

Event = dg.AssetObservation | dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]
Body = Callable[[dg.AssetExecutionContext], Iterator[Event]]


@dataclass(frozen=True, slots=True)
class TableAsset:
    """What a component knows of a table when definitions load.

    ``body`` does the work in a run; the platform's errors in it are translated for Dagster.
    ``kinds`` are at most three. ``checks`` are further ones, whose results the body yields itself.
    ``side_by_side`` says that the body may run in a thread beside others.
    """

    table: TableName
    options: AssetOptions
    contract: Contract
    body: Body
    kinds: frozenset[str]
    retries: Retries
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    deps: Sequence[dg.AssetKey] = ()
    partitions: dg.TimeWindowPartitionsDefinition | dg.DynamicPartitionsDefinition | None = None
    pool: str | None = None
    resource_keys: frozenset[str] = frozenset({LAKE_KEY})
    default_group: str | None = None
    config: Mapping[str, dg.Field] | None = None
    code_version: str | None = None
    checks: Sequence[dg.AssetCheckSpec] = ()
    side_by_side: bool = False


def check_contract_columns(contract: Contract, columns: Collection[str], where: str) -> None:
    """Refuse a rule about a column that the table does not have.

    Raises:
        UnknownName: with the nearest column's name.
    """
    for rule in contract.rules:
        for column in rule.reads:
            if column not in columns:
                raise UnknownName(f"column in rule {rule.name!r}", column, columns, where=where)


def build_asset(declared: TableAsset) -> dg.AssetsDefinition:
    """Make the asset and its checks.

    A table that a foreign key of the contract points at is a dependency: it must be loaded first.
    """
    body, retries, options = declared.body, declared.retries, declared.options
    key, upstream = dg.AssetKey(declared.table.key), _upstream(declared)
    requires = options.requirements
    refuse_unread(requires, upstream, declared.table.sql)

    def compute(context: dg.AssetExecutionContext) -> Iterator[Event]:
        with run_errors(context.retry_number, retries), _kept(context, declared):
            check_requirements(context, key, requires)
            events = with_anomalies(context, declared.table, options.watch, body(context))
            yield from within(events, options.timeout_s, declared.table.sql)

    # Dagster reads this annotation and does not understand it as text.
    compute.__annotations__ = {"context": dg.AssetExecutionContext}
    return dg.asset(
        key=key,
        deps=sorted(upstream, key=dg.AssetKey.to_user_string),
        description=options.description or declared.description,
        metadata={"dagster/table_name": declared.table.sql, **options.stated, **declared.metadata},
        tags=options.tags,
        owners=options.owners,
        group_name=options.group or declared.default_group,
        kinds=set(declared.kinds),
        check_specs=[
            *check_specs(key, declared.contract, declared.partitions),
            *anomaly_specs(key, options.watch, declared.partitions),
            *declared.checks,
        ],
        automation_condition=options.condition,
        freshness_policy=options.freshness.policy() if options.freshness else None,
        partitions_def=declared.partitions,
        required_resource_keys=set(declared.resource_keys),
        pool=declared.pool,
        retry_policy=retries.policy,
        config_schema=dict(declared.config) if declared.config else None,
        code_version=declared.code_version,
        # A timeout is a signal, which reaches the main thread alone.
        op_tags={SIDE_BY_SIDE: "true"}
        if declared.side_by_side and options.timeout_s is None
        else None,
    )(compute)


def build_together(declared: Sequence[TableAsset]) -> dg.AssetsDefinition:
    """Make several assets that one step fills, by the body of the first of them.

    The body wraps what it yields of each table by :func:`with_anomalies` itself. An asset of which
    it yields nothing was not touched.
    """
    first = declared[0]
    body, retries = first.body, first.retries
    for one in declared:
        refuse_unread(one.options.requirements, _upstream(one), one.table.sql)

    def compute(context: dg.AssetExecutionContext) -> Iterator[Event]:
        with run_errors(context.retry_number, retries), _kept(context, first):
            for one in declared:
                check_requirements(context, dg.AssetKey(one.table.key), one.options.requirements)
            yield from within(body(context), first.options.timeout_s, first.table.sql)

    compute.__annotations__ = {"context": dg.AssetExecutionContext}
    keys = {dg.AssetKey(one.table.key) for one in declared}
    specs = [
        dg.AssetSpec(
            key=dg.AssetKey(one.table.key),
            deps=sorted(_upstream(one) - keys, key=dg.AssetKey.to_user_string),
            description=one.options.description or one.description,
            metadata={"dagster/table_name": one.table.sql, **one.options.stated, **one.metadata},
            skippable=True,
            tags=one.options.tags or {},
            owners=one.options.owners,
            group_name=one.options.group or one.default_group,
            kinds=set(one.kinds),
            automation_condition=one.options.condition,
            freshness_policy=one.options.freshness.policy() if one.options.freshness else None,
            partitions_def=one.partitions,
        )
        for one in declared
    ]
    checks = [
        spec
        for one in declared
        for key in [dg.AssetKey(one.table.key)]
        for spec in (
            *check_specs(key, one.contract, one.partitions),
            *anomaly_specs(key, one.options.watch, one.partitions),
        )
    ]
    return dg.multi_asset(
        name="__".join(first.table.key),
        specs=specs,
        check_specs=checks,
        required_resource_keys=set(first.resource_keys),
        pool=first.pool,
        retry_policy=retries.policy,
        config_schema=dict(first.config) if first.config else None,
    )(compute)


@contextmanager
def _kept(context: dg.AssetExecutionContext, declared: TableAsset) -> Generator[None]:
    """Keep what a step took and, when it fails, how; the next success says what differed."""

    def definition() -> str:
        parts = (declared.contract.model_dump_json(), declared.options, declared.code_version)
        return "\n".join(map(str, parts))

    if len(context.selected_asset_keys) == 1:
        step = context.get_step_execution_context().step.key
        step_makes(context.run.run_id, step, context.asset_key.to_user_string())
    inputs = [TableName(*key.path) for key in sorted(_upstream(declared)) if len(key.path) == 2]
    with (
        recorded(context, declared.table),
        remembered(context, declared.table, inputs, definition),
    ):
        yield


def _upstream(declared: TableAsset) -> set[dg.AssetKey]:
    """What must be there first: dependencies, and tables that foreign keys point at."""
    referenced = referenced_tables(declared.table, declared.contract)
    return {*declared.deps, *(dg.AssetKey(table.key) for table in referenced)}
