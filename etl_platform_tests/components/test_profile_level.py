"""How much a profile says is an option of every table, in YAML and in a model's header."""

from __future__ import annotations

import dagster as dg

from etl_platform.metastore import Metastore
from etl_platform_tests.components.conftest import Project, Shop

SOURCE = {
    "type": "etl_platform.DatabaseSourceComponent",
    "attributes": {
        "url": "env://SHOP_URL",
        "target_schema": "shop",
        "defaults": {"profile": "basic"},
        "tables": {"orders": {}, "customers": {"profile": "full"}},
    },
}
MODEL = """/*
profile: "off"
anomalies: {metrics: [rows, total.mean], sensitivity: high}
*/
SELECT customer_id, sum(amount) AS total FROM shop.orders GROUP BY customer_id
"""


def test_the_level_of_a_profile_is_that_of_the_table_its_defaults_or_its_header(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", SOURCE)
    project.write(
        "marts/defs.yaml",
        {"type": "etl_platform.SqlModelsComponent", "attributes": {"target_schema": "marts"}},
    )
    project.write("marts/totals.sql", MODEL)
    project.refresh()
    result = project.materialize()
    assert result.success

    def metadata(node: str) -> dict[str, dg.MetadataValue]:
        (event,) = result.asset_materializations_for_node(node)
        return dict(event.metadata)

    orders, customers = metadata("shop__orders"), metadata("shop__customers")
    assert "profile_file" in customers
    assert "quality_score" in customers
    assert "profile_file" not in orders
    assert "quality_score" in orders
    totals = metadata("marts__totals")
    assert "quality_score" not in totals
    learning = str(totals["anomalies_not_judged"].value)
    assert learning.startswith("anomaly_rows: learning: 0 of 14\nanomaly_total_mean:")
    store = Metastore.open(project.lake.settings.metastore_url)
    (point,) = store.metrics.points("marts.totals", lake=project.lake.uri)
    assert '"rows":2.0' in point.metrics
    with project.defs() as defs:
        model = defs.resolve_assets_def(dg.AssetKey(["marts", "totals"]))
        specs = {spec.name: spec.metadata for spec in model.check_specs}
    assert specs["anomaly_total_mean"]["sensitivity"] == "high"
