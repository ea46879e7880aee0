"""What is so now, whatever happened: ages of assets, lags of streams, dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState

from etl_platform.components.alerts.advice import Advisor
from etl_platform.components.sla.gathering import kept
from etl_platform.core.names import TableName
from etl_platform.monitoring.alerts import Kind, Signal
from etl_platform.monitoring.sla import Kept

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore

_SLA_LOOKBACK = timedelta(days=7)


def freshness_signals(instance: dg.DagsterInstance, advisor: Advisor) -> Iterator[Signal]:
    """How Dagster's own daemon judged the freshness policies of assets, and since when."""
    keys = [
        node.key for node in advisor.graph.asset_nodes if node.freshness_policy_or_from_metadata
    ]
    if not keys:
        return
    for key, record in instance.get_freshness_state_records(keys).items():
        state = record.freshness_state
        if state not in (FreshnessState.PASS, FreshnessState.WARN, FreshnessState.FAIL):
            continue
        yield Signal(
            kind="freshness",
            at=record.updated_at,
            bad=state != FreshnessState.PASS,
            message="fresh again" if state == FreshnessState.PASS else "older than it may be",
            severity="warn" if state == FreshnessState.WARN else "error",
            asset=key.to_user_string(),
            advice=advisor.advise("freshness", key),
        )


def stream_signals(
    kinds: Collection[Kind], lake: Lake, metastore: Metastore, advisor: Advisor, now: datetime
) -> Iterator[Signal]:
    """How long messages of streams wait, and how many wait in the dead letter tables."""
    from etl_platform.monitoring.streams import stream_statuses

    for one in stream_statuses(lake, metastore, now):
        key = dg.AssetKey(TableName.parse(one.stream).key)
        asset = key.to_user_string()
        if "stream_lag" in kinds and one.lag_s is not None:
            rows = "unknown" if one.lag_rows is None else f"{one.lag_rows:,}"
            yield Signal(
                kind="stream_lag",
                at=now,
                bad=one.lag_s > 0,
                message=f"{rows} messages wait, the oldest for {one.lag_s:,.0f} s"
                + (f"; {one.error}" if one.error else ""),
                asset=asset,
                value=one.lag_s,
                advice=advisor.advise("stream_lag", key),
            )
        if "dead_letters" in kinds and one.dead_letters is not None:
            yield Signal(
                kind="dead_letters",
                at=now,
                bad=one.dead_letters > 0,
                message=f"{one.dead_letters:,} messages in the dead letter table",
                severity="warn",
                asset=asset,
                value=float(one.dead_letters),
                advice=advisor.advise("dead_letters", key),
            )


def sla_signals(instance: dg.DagsterInstance, advisor: Advisor, now: datetime) -> Iterator[Signal]:
    """Deadlines of the last week that passed without the asset or partition, and their ends."""
    newest: dict[tuple[str, str | None], Kept] = {}
    for one in kept(instance, advisor.graph, now, _SLA_LOOKBACK, declared_only=True):
        if one.status != "waiting":
            newest[one.asset, one.partition] = one
    for one in newest.values():
        key = dg.AssetKey.from_user_string(one.asset)
        expected = f"expected by {one.expected_by:%Y-%m-%d %H:%M} UTC"
        yield Signal(
            kind="sla",
            at=one.actual or one.expected_by,
            bad=one.actual is None,
            message=f"{expected}: not there"
            if one.actual is None
            else f"{expected}: there since {one.actual:%Y-%m-%d %H:%M} UTC",
            asset=one.asset,
            partition=one.partition,
            advice=advisor.advise("sla", key),
        )
