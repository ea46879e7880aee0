"""Python steps of a project, in a run and in one after which nothing changed."""

from __future__ import annotations

import polars as pl
import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.transforms.incremental.verify import verify
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source

YAML = """\
type: etl_platform.TransformComponent
attributes:
  target_schema: marts
  python_steps: {halves: etl_platform_tests.components.test_transform_python.halves}
  tables:
    halved:
      from: shop.orders
      steps:
        - select: [id, amount]
        - python: {function: halves, columns: {id: BIGINT, half: DOUBLE}}
        - filter: half > 8
"""


def halves(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Half of each amount."""
    return rows.select("id", half=pl.col("amount").cast(pl.Float64) / 2)


def test_a_function_runs_between_steps_and_not_again_without_news(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", YAML)
    project.refresh()
    result = project.materialize("shop/orders", "marts/halved")
    assert result.success, failures(result)
    assert {row["id"] for row in project.rows("marts.halved")} == {2, 3}
    again = project.materialize("marts/halved")
    (event,) = again.asset_materializations_for_node("marts__halved")
    assert "nothing_changed" in event.metadata
    with pytest.raises(PermanentError, match="a Python step made rows"):
        verify(project.lake, TableName("marts", "halved"))
