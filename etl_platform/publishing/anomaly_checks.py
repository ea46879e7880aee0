"""Histories of metrics, and the asset checks that tell when a new value is unusual.

Every materialisation adds a point to the histories of its table; checks are there for the metrics
that an asset names. A check with too short a history gives no result: it is neither passed nor an
alert, and the materialisation's metadata says how much is known.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import dagster as dg

from etl_platform.core.errors import ConfigError, TransientError, UnknownName
from etl_platform.core.inert import prose
from etl_platform.core.names import TableName, to_identifier
from etl_platform.metastore.records import now
from etl_platform.publishing.budget import Entry, fit, shorten_text
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    import logging

    from etl_platform.lakehouse.root import Root
    from etl_platform.quality.anomalies.evaluation import Judged
    from etl_platform.quality.anomalies.metrics import Metric

Event = dg.AssetObservation | dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]
LEARNING = "anomalies_not_judged"
DEFAULT_METRICS = ("rows", "gap")
_JUDGED = ("normal", "anomaly")


@dataclass(frozen=True, slots=True)
class Watch:
    """The metrics of an asset that are judged; none by default."""

    metrics: tuple[str, ...] = ()
    sensitivity: Literal["low", "medium", "high"] = "medium"
    severity: Literal["warn", "error"] = "warn"

    def checks(self) -> Mapping[str, str]:
        """The name of each metric's check."""
        return {f"anomaly_{to_identifier(metric)}": metric for metric in self.metrics}


def as_watch(declared: Watch | Sequence[str] | Mapping[str, object] | None, where: str) -> Watch:
    """Read what an asset declares: names of metrics, or a mapping as in YAML.

    Raises:
        ConfigError: there is no such metric, sensitivity, severity or key.
    """
    from etl_platform.quality.anomalies.config import SENSITIVITIES
    from etl_platform.quality.anomalies.metrics import check_metric

    if declared is None or isinstance(declared, Watch):
        return declared or Watch()
    given = dict(declared) if isinstance(declared, Mapping) else {"metrics": declared}
    metrics = given.pop("metrics", DEFAULT_METRICS)
    sensitivity, severity = given.pop("sensitivity", "medium"), given.pop("severity", "warn")
    if given:
        known = ("metrics", "sensitivity", "severity")
        raise UnknownName("option of anomalies", next(iter(given)), known, where=where)
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        raise ConfigError(f"{where}: anomalies are of metrics {metrics!r}", valid="a list of names")
    if sensitivity not in SENSITIVITIES:
        raise ConfigError(
            f"{where}: sensitivity is {sensitivity!r}", valid=", ".join(SENSITIVITIES)
        )
    if severity not in ("warn", "error"):
        raise ConfigError(f"{where}: severity is {severity!r}", valid="warn, error")
    names = tuple(check_metric(str(metric)) for metric in cast("Sequence[object]", metrics))
    return Watch(names, sensitivity, severity)


def anomaly_specs(
    key: dg.AssetKey, watch: Watch, partitions: dg.PartitionsDefinition[Any] | None = None
) -> list[dg.AssetCheckSpec]:
    """One check per metric; none of them blocks.

    Args:
        partitions: those of the asset: each partition then has results of its own.
    """
    with warnings.catch_warnings():
        # Dagster previews partitioned checks and says so for each of them at every load.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name,
                asset=key,
                description=f"{metric} is as its history lets expect",
                metadata={"metric": metric, "sensitivity": watch.sensitivity},
                partitions_def=partitions,
            )
            for name, metric in watch.checks().items()
        ]


def with_anomalies(
    context: dg.AssetExecutionContext,
    table: TableName,
    watch: Watch,
    events: Iterator[Event],
    asset: dg.AssetKey | None = None,
) -> Iterator[Event]:
    """Pass an asset's events on; a materialisation is recorded first and gets the verdicts.

    The commit stands whatever happens here: without the metastore nothing is judged.

    Args:
        asset: which of a step's assets the table is, where the step makes several.
    """
    for event in events:
        if not isinstance(event, dg.MaterializeResult):
            yield event
            continue
        judged = _judge(context, table, watch, event)
        key = context.asset_key if asset is None else asset
        results = anomaly_results(key, watch, judged)
        yield event._replace(  # pyright: ignore[reportPrivateUsage] # public on named tuples
            metadata={**(event.metadata or {}), **not_judged(watch, judged)},
            check_results=[*(event.check_results or ()), *results],
        )
        told = {result.check_name for result in results}
        for output, spec in context.assets_def.check_specs_by_output_name.items():
            if spec.asset_key == key and spec.name in watch.checks() and spec.name not in told:
                yield dg.Output(None, output_name=output)


def judge_version(
    resource: LakeResource,
    table: TableName,
    watch: Watch,
    version: int,
    partition: str | None,
    log: logging.Logger,
) -> Sequence[Judged]:
    """Add a version to the histories of its table and judge it; nothing without the metastore.

    Args:
        partition: the Dagster partition key of its rows.
    """
    from etl_platform.quality import Profile
    from etl_platform.quality.anomalies.config import Judging
    from etl_platform.quality.anomalies.evaluation import evaluate
    from etl_platform.quality.anomalies.recording import place_of, point_of

    root = resource.lake().root
    lake = root.uri
    columns = {} if partition is None else {PARTITION_COLUMN: partition}
    part = "/".join(f"{column}={key}" for column, key in columns.items()) or None
    try:
        metrics = resource.metastore().metrics
        record = resource.metastore().profile(table.sql, version, part)
        if record is None:
            return ()
        place, profile = place_of(columns, now()), Profile.from_json(record.profile)
        known = metrics.points(
            table.sql, lake=lake, series=place.series, until=place.event_time, limit=2
        )
        earlier = [point.version for point in known if point.event_time < place.event_time]
        moves = _moves(root, table, earlier[-1], version) if earlier else ()
        metrics.record(point_of(lake, table.sql, version, profile, place, moves))
        return evaluate(
            metrics,
            lake,
            table.sql,
            place.series,
            place.event_time,
            watch.metrics,
            Judging(watch.sensitivity),
        )
    except TransientError as error:
        log.warning("metrics of %s version %s were not kept: %s", table, version, error)
        return ()


def anomaly_results(
    key: dg.AssetKey, watch: Watch, judged: Sequence[Judged]
) -> list[dg.AssetCheckResult]:
    """The results of the metrics that could be judged."""
    names = {metric: name for name, metric in watch.checks().items()}
    return [
        _result(key, names[one.metric], one, watch)
        for one in judged
        if one.verdict.status in _JUDGED
    ]


def not_judged(watch: Watch, judged: Sequence[Judged]) -> Mapping[str, dg.MetadataValue]:
    """Why each metric without a result has none, as metadata of the materialisation."""
    told = {one.metric for one in judged if one.verdict.status in _JUDGED}
    reasons = {one.metric: one.verdict.reason for one in judged}
    lines = [
        f"{name}: {reasons.get(metric, 'no record')}"
        for name, metric in watch.checks().items()
        if metric not in told
    ]
    return {LEARNING: dg.MetadataValue.text("\n".join(lines)[:2000])} if lines else {}


def _moves(root: Root, table: TableName, earlier: int, version: int) -> tuple[Metric, ...]:
    """How far the values moved since an earlier version; both need full profiles."""
    from etl_platform.lakehouse.batch_profiles import profile_of_version
    from etl_platform.quality.anomalies.moved import moves_of

    before = profile_of_version(root, table, earlier)
    after = profile_of_version(root, table, version) if before is not None else None
    return moves_of(before, after) if before is not None and after is not None else ()


def _judge(
    context: dg.AssetExecutionContext,
    table: TableName,
    watch: Watch,
    event: dg.MaterializeResult[Any],
) -> Sequence[Judged]:
    version = _version(event)
    if version is None or "skipped" in (event.metadata or {}):
        return ()
    keys = context.partition_keys if context.has_partition_key else ()
    partition = keys[0] if len(keys) == 1 else None
    resource: LakeResource = context.resources.lake
    return judge_version(resource, table, watch, version, partition, context.log)


def _version(event: dg.MaterializeResult[Any]) -> int | None:
    value = (event.metadata or {}).get("version")
    found = value.value if isinstance(value, dg.IntMetadataValue) else value
    return found if isinstance(found, int) else None


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
        description=prose(verdict.reason),
        metadata=fit({name: entry for name, entry in entries.items() if entry is not None}),
    )


def _number(number: float | None) -> Entry | None:
    return None if number is None else Entry(dg.MetadataValue.float(float(f"{number:.6g}")))
