"""The queries of TPC-H as SQL models: what each column of each table would be traced to."""

from __future__ import annotations

from pathlib import Path

from etl_platform.transforms.sql_models import load_models
from etl_platform_tests.planner.lineage.test_tracing import COUNTS_OF_ROWS, TPCH
from etl_platform_tests.planner.tpch_schema import QUERIES, SCHEMA


def test_each_column_of_the_22_models_is_traced_to_columns_of_the_benchmark(
    tmp_path: Path,
) -> None:
    for name, text in QUERIES.items():
        (tmp_path / f"{name}.sql").write_text(text)
    models = {m.table.name: m for m in load_models(tmp_path, SCHEMA, default_schema="tpch")}
    assert len(models) == 22
    for model in models.values():
        assert model.columns is not None
        assert list(model.lineage) == list(model.columns)
        for column, refs in model.lineage.items():
            assert bool(refs) is (column not in COUNTS_OF_ROWS)
            for table, source in refs:
                assert table in model.inputs
                assert source in SCHEMA[table]
    for name, expected in TPCH.items():
        found = models[name].lineage
        assert {c: " ".join(source for _, source in refs) for c, refs in found.items()} == expected
