"""An asset tells when a metric is unusual, once it has a history, and not before."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from etl_platform.metastore import Metastore, MetricFeedbackRecord, MetricPointRecord
from etl_platform.publishing.budget import EVENT_BUDGET_BYTES
from etl_platform_tests.components.conftest import Project, Shop

SOURCE = {
    "type": "etl_platform.DatabaseSourceComponent",
    "attributes": {
        "url": "env://SHOP_URL",
        "target_schema": "shop",
        "tables": {
            "orders": {"anomalies": {"metrics": ["rows", "gap", "amount.mean"]}},
            "customers": {},
        },
    },
}
CHECKS = ("anomaly_rows", "anomaly_gap", "anomaly_amount_mean")


@pytest.fixture
def store(project: Project, shop: Shop) -> Metastore:
    project.write("shop/defs.yaml", SOURCE)
    project.refresh()
    return Metastore.open(project.lake.settings.metastore_url)


def remember(project: Project, store: Metastore, points: int, rows: float = 3.0) -> None:
    """Points of the days before today."""
    for n in range(points):
        store.metrics.record(
            MetricPointRecord(
                lake=project.lake.uri,
                table="shop.orders",
                event_time=datetime.now(UTC) - timedelta(days=points - n),
                version=0,
                metrics=f'{{"rows": {rows}, "amount.mean": {20 + n % 3}}}',
            )
        )


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        found.check_name: found
        for found in result.get_asset_check_evaluations()
        if found.check_name in CHECKS
    }


def test_every_materialisation_adds_a_point_also_without_the_option(
    project: Project, store: Metastore
) -> None:
    assert project.materialize("shop/customers").success
    (point,) = store.metrics.points("shop.customers", lake=project.lake.uri)
    assert '"rows":2.0' in point.metrics


def test_a_short_history_gives_no_result_and_says_how_much_is_known(
    project: Project, store: Metastore
) -> None:
    remember(project, store, 4)
    result = project.materialize("shop/orders")
    assert result.success
    assert evaluations(result) == {}
    assert project.check("shop/orders", "anomaly_rows") in ("NEVER", "PLANNED", "SKIPPED")
    (event,) = result.asset_materializations_for_node("shop__orders")
    text = str(event.metadata["anomalies_not_judged"].value)
    assert "anomaly_rows: learning: 4 of 14" in text


def test_a_usual_table_passes_with_a_picture_within_the_budget(
    project: Project, store: Metastore
) -> None:
    remember(project, store, 30)
    result = project.materialize("shop/orders")
    found = evaluations(result)
    assert {name: one.passed for name, one in found.items()} == dict.fromkeys(CHECKS, True)
    picture = str(found["anomaly_rows"].metadata["history"].value)
    image = re.fullmatch(r"!\[history of rows\]\(data:image/svg\+xml;base64,(.*)\)", picture)
    assert image is not None
    assert base64.b64decode(image.group(1)).decode().endswith("</svg>")
    assert len(dg.serialize_value(found["anomaly_rows"])) < EVENT_BUDGET_BYTES


def test_an_unusual_number_of_rows_is_a_warning_that_blocks_nothing(
    project: Project, store: Metastore
) -> None:
    remember(project, store, 30, rows=1000)
    result = project.materialize("shop/orders")
    assert result.success
    found = evaluations(result)["anomaly_rows"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "3 is below the expected" in str(found.description)
    assert len(project.rows("shop.orders")) == 3


def test_what_is_normal_now_is_learnt_anew_and_what_is_muted_is_not_judged(
    project: Project, store: Metastore
) -> None:
    remember(project, store, 30, rows=1000)
    for kind, metric in (("normal", "rows"), ("mute", "amount.mean")):
        store.metrics.say(
            MetricFeedbackRecord(
                lake=project.lake.uri,
                table="shop.orders",
                metric=metric,
                kind=kind,  # pyright: ignore[reportArgumentType] # both are literals
                since=datetime.now(UTC),
            )
        )
    result = project.materialize("shop/orders")
    assert set(evaluations(result)) == {"anomaly_gap"}
    (event,) = result.asset_materializations_for_node("shop__orders")
    text = str(event.metadata["anomalies_not_judged"].value)
    assert "anomaly_rows: learning: 0 of 14" in text
    assert "anomaly_amount_mean: muted" in text
