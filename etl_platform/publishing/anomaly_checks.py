"""Histories of metrics, and the asset checks that tell when a new value is unusual.

Every materialisation adds a point to the histories of its table; checks are there for the metrics
that an asset names. A check with too short a history gives no result: it is neither passed nor an
alert, and the materialisation's metadata says how much is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from etl_platform.core.errors import TransientError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.metastore.records import now
from etl_platform.publishing.budget import Entry, fit, shorten_text
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    from etl_platform.quality.anomalies.evaluation import Judged

Event = dg.AssetObservation | dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]
LEARNING = "anomalies_not_judged"


@dataclass(frozen=True, slots=True)
class Watch:
    """The metrics of an asset that are judged; none by default."""

    metrics: tuple[str, ...] = ()
    sensitivity: Literal["low", "medium", "high"] = "medium"
    severity: Literal["warn", "error"] = "warn"

    def checks(self) -> Mapping[str, str]:
        """The name of each metric's check."""
        return {f"anomaly_{to_identifier(metric)}": metric for metric in self.metrics}


def anomaly_specs(key: dg.AssetKey, watch: Watch) -> list[dg.AssetCheckSpec]:
    """One check per metric; none of them blocks."""
    return [
        dg.AssetCheckSpec(
            name,
            asset=key,
            description=f"{metric} is as its history lets expect",
            metadata={"metric": metric, "sensitivity": watch.sensitivity},
        )
        for name, metric in watch.checks().items()
    ]


def with_anomalies(
    context: dg.AssetExecutionContext, table: TableName, watch: Watch, events: Iterator[Event]
) -> Iterator[Event]:
    """Pass an asset's events on; a materialisation is recorded first and gets the verdicts.

    The commit stands whatever happens here: without the metastore nothing is judged.
    """
    for event in events:
        if not isinstance(event, dg.MaterializeResult):
            yield event
            continue
        judged = _judge(context, table, watch, event)
        told = {one.metric: one for one in judged if one.verdict.status in ("normal", "anomaly")}
        names = watch.checks()
        silent = {name: metric for name, metric in names.items() if metric not in told}
        yield event._replace(  # pyright: ignore[reportPrivateUsage] # public on named tuples
            metadata={**(event.metadata or {}), **_not_judged(silent, judged)},
            check_results=[
                *(event.check_results or ()),
                *(
                    _result(context.asset_key, name, told[metric], watch)
                    for name, metric in names.items()
                    if metric in told
                ),
            ],
        )
        for output, spec in context.assets_def.check_specs_by_output_name.items():
            if spec.name in silent:
                yield dg.Output(None, output_name=output)


def _judge(
    context: dg.AssetExecutionContext,
    table: TableName,
    watch: Watch,
    event: dg.MaterializeResult[Any],
) -> Sequence[Judged]:
    from etl_platform.quality import Profile
    from etl_platform.quality.anomalies.config import Judging
    from etl_platform.quality.anomalies.evaluation import evaluate
    from etl_platform.quality.anomalies.recording import place_of, point_of

    version = _version(event)
    if version is None or "skipped" in (event.metadata or {}):
        return ()
    resource: LakeResource = context.resources.lake
    lake, keys = resource.lake().uri, context.partition_keys if context.has_partition_key else ()
    partition = {PARTITION_COLUMN: keys[0]} if len(keys) == 1 else {}
    part = "/".join(f"{column}={key}" for column, key in partition.items()) or None
    try:
        log = resource.metastore().metrics
        record = resource.metastore().profile(table.sql, version, part)
        if record is None:
            return ()
        place = place_of(partition, now())
        profile = Profile.from_json(record.profile)
        log.record(point_of(lake, table.sql, version, profile, place))
        return evaluate(
            log,
            lake,
            table.sql,
            place.series,
            place.event_time,
            watch.metrics,
            Judging(watch.sensitivity),
        )
    except TransientError as error:
        context.log.warning("metrics of %s version %s were not kept: %s", table, version, error)
        return ()


def _version(event: dg.MaterializeResult[Any]) -> int | None:
    value = (event.metadata or {}).get("version")
    found = value.value if isinstance(value, dg.IntMetadataValue) else value
    return found if isinstance(found, int) else None


def _not_judged(
    silent: Mapping[str, str], judged: Sequence[Judged]
) -> Mapping[str, dg.MetadataValue]:
    reasons = {one.metric: one.verdict.reason for one in judged}
    lines = [f"{name}: {reasons.get(metric, 'no record')}" for name, metric in silent.items()]
    return {LEARNING: dg.MetadataValue.text("\n".join(lines)[:2000])} if lines else {}


def _result(key: dg.AssetKey, name: str, judged: Judged, watch: Watch) -> dg.AssetCheckResult:
    from etl_platform.quality.anomalies.picture import markdown

    verdict, value = judged.verdict, dg.MetadataValue
    picture = markdown(judged)
    entries = {
        "metric": Entry(value.text(judged.metric)),
        "value": Entry(value.float(judged.value or 0.0)),
        "expected": _number(verdict.expected),
        "band_low": _number(verdict.band_low),
        "band_high": _number(verdict.band_high),
        "score": _number(verdict.score),
        "points": Entry(value.int(verdict.seen)),
        "event_time": Entry(value.text(judged.at.isoformat(timespec="seconds"))),
        "history": Entry(value.md(picture), shorten_text("", value.md)),
    }
    severity = dg.AssetCheckSeverity.ERROR if watch.severity == "error" else None
    return dg.AssetCheckResult(
        passed=verdict.status == "normal",
        asset_key=key,
        check_name=name,
        severity=severity or dg.AssetCheckSeverity.WARN,
        description=verdict.reason,
        metadata=fit({name: entry for name, entry in entries.items() if entry is not None}),
    )


def _number(number: float | None) -> Entry | None:
    return None if number is None else Entry(dg.MetadataValue.float(float(f"{number:.6g}")))
