"""A decorator for a user's own asset whose table has a contract."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.publishing.anomaly_checks import anomaly_specs
from etl_platform.publishing.checks import check_specs
from etl_platform.publishing.declared import Declared
from etl_platform.publishing.failures import Retries, run_errors
from etl_platform.publishing.requirements import (
    Requirements,
    as_requirements,
    check_requirements,
    refuse_unread,
)

if TYPE_CHECKING:
    from etl_platform.publishing.declared import AnomaliesLike, ContractLike

IO_MANAGER_KEY = "lake_io_manager"
Body = Callable[..., object]


def lake_asset(
    *,
    contract: ContractLike | None = None,
    mode: str = "replace",
    merge_key: Sequence[str] = (),
    profile: Literal["auto", "full", "basic", "off"] = "auto",
    anomalies: AnomaliesLike = None,
    requires: Mapping[str, str] | None = None,
    key: dg.AssetKey | Sequence[str] | str | None = None,
    metadata: Mapping[str, Any] | None = None,
    io_manager_key: str = IO_MANAGER_KEY,
    **options: Any,
) -> Callable[[Body], dg.AssetsDefinition]:
    """``@dg.asset`` for a table of the lake with a contract, each rule a check of the asset.

    The function returns the rows: a Polars frame or lazy frame, an Arrow table or stream, a pandas
    frame or a DuckDB relation. They pass the same gate as those of every source.

    Args:
        contract: a pandera model or schema, or a contract as in YAML.
        mode: ``replace``, ``append`` or ``upsert``; a partitioned asset replaces its partition.
        merge_key: the columns by which ``upsert`` recognises a row.
        profile: how much the profile of each version says; ``auto`` is ``full`` where that takes
            about half a second.
        anomalies: metrics that are compared with their history, such as
            ``["rows", "amount.mean"]``, or a mapping with ``metrics``, ``sensitivity`` and
            ``severity`` as in YAML.
        requires: what is required of the tables that it reads, or it is not computed:
            ``{"shop.orders": "no_warnings"}``, ``no_quarantine`` or ``published``; ``*`` is every
            other.
        key: asset key of one part (schema ``main``) or two; the function's name by default.
        metadata: further metadata of the asset.
        io_manager_key: the resource key of the :class:`~etl_platform.io_manager.LakeIOManager`.
        options: everything else that ``@dg.asset`` takes.

    Raises:
        ConfigError: the key is not a table name, or the contract, mode, profile or a metric is not
            usable.
        UnknownName: something is required of a table that the asset does not read.
    """

    def decorate(body: Body) -> dg.AssetsDefinition:
        asset_key = dg.AssetKey.from_coercible(key if key is not None else body.__name__)
        table = TableName.from_key(asset_key.path)
        declared = Declared.of(
            contract, mode, merge_key, str(table), profile=profile, anomalies=anomalies
        )
        partitions = options.get("partitions_def")
        required = as_requirements(requires, f"{table}: requires")
        made = dg.asset(
            key=asset_key,
            check_specs=[
                *check_specs(asset_key, declared.contract, partitions),
                *anomaly_specs(asset_key, declared.watch, partitions),
            ],
            metadata={**(metadata or {}), **declared.to_metadata()},
            io_manager_key=io_manager_key,
            **options,
        )(_with_check_outputs(body, asset_key, required))
        refuse_unread(required, made.asset_deps[asset_key], table.sql)
        return made

    return decorate


def _with_check_outputs(
    body: Body, asset: dg.AssetKey, required: Requirements
) -> Callable[..., Iterator[dg.Output[object]]]:
    """The body as Dagster wants it: an output for the value, and one for every check.

    The results of the checks come from the IO manager, which alone knows them; the outputs only say
    that this step is where they come from.
    """
    if inspect.isgeneratorfunction(body) or inspect.iscoroutinefunction(body):
        raise ConfigError(
            f"{body.__qualname__} is a generator or a coroutine",
            valid="a function that returns its rows",
        )

    @functools.wraps(body)
    def compute(*args: Any, **kwargs: Any) -> Iterator[dg.Output[object]]:
        context = dg.AssetExecutionContext.get()
        with run_errors(context.retry_number, Retries(attempts=0)):
            check_requirements(context, asset, required)
        yield dg.Output(body(*args, **kwargs))
        for output_name in context.assets_def.check_specs_by_output_name:
            yield dg.Output(None, output_name=output_name)

    # Dagster reads the signature: the inputs are the body's, the return type is not.
    signature = inspect.signature(body, eval_str=True)
    compute.__signature__ = signature.replace(  # pyright: ignore[reportAttributeAccessIssue] # read by inspect
        return_annotation=inspect.Signature.empty
    )
    compute.__annotations__ = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if parameter.annotation is not inspect.Parameter.empty
    }
    del compute.__wrapped__
    return compute
