"""Assets that would take ten minutes each, for runs that are cancelled: one per engine and a model.

Where the servers are, the environment says: ``LONG_POSTGRES``, ``LONG_MARIADB``.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkdtemp

import dagster as dg

from etl_platform.components.assets import TableAsset, build_asset
from etl_platform.components.database_source.loading import Load
from etl_platform.components.database_source.options import ExtractOptions
from etl_platform.components.options import AssetOptions
from etl_platform.components.sql_models.running import ModelRun
from etl_platform.core.names import TableName
from etl_platform.publishing.failures import Retries
from etl_platform.quality import Contract
from etl_platform.resources import DatabaseResource, LakeResource
from etl_platform.transforms.sql_models import load_models

SLEEPS = {
    "postgres": "SELECT 1 AS one FROM pg_sleep(600)",
    "mariadb": "SELECT 1 AS one FROM DUAL WHERE sleep(600) = 0",
}
ENGINES = {"postgres": ("copy", "sqlalchemy", "adbc"), "mariadb": ("mysql",)}
MODEL = (
    "SELECT count(*) AS pairs FROM range(100000000) AS a, range(1000000) AS b "
    "WHERE (a.range * b.range) % 7 = 3"
)


def _extraction(server: str, engine: str, *, count: bool = False) -> dg.AssetsDefinition:
    table = TableName(server, "counted" if count else engine)
    options = ExtractOptions(engine=engine, count_source_rows=count)
    key = f"{server}_database"
    return build_asset(
        TableAsset(
            table=table,
            options=options,
            contract=Contract(),
            body=Load(table, options, Contract(), key, query=SLEEPS[server]).run,
            kinds=frozenset({server}),
            retries=Retries(),
            resource_keys=frozenset({"lake", key}),
        )
    )


def _model() -> dg.AssetsDefinition:
    folder = Path(mkdtemp(prefix="etl-model-"))
    (folder / "pairs.sql").write_text(MODEL)
    (model,) = load_models(folder, {}, default_schema="models")
    return build_asset(
        TableAsset(
            table=model.table,
            options=AssetOptions(),
            contract=Contract(),
            body=ModelRun(model, Contract()).run,
            kinds=frozenset({"duckdb"}),
            retries=Retries(),
        )
    )


def _databases() -> dict[str, object]:
    return {
        f"{server}_database": DatabaseResource(name=server, url=f"env://LONG_{server.upper()}")
        for server in SLEEPS
    }


if "LONG_POSTGRES" in os.environ:
    defs = dg.Definitions(
        assets=[
            *(_extraction(server, one) for server, many in ENGINES.items() for one in many),
            *(_extraction(server, many[0], count=True) for server, many in ENGINES.items()),
            _model(),
        ],
        resources={"lake": LakeResource(), **_databases()},
        executor=dg.multiprocess_executor.configured({"max_concurrent": 4}),
    )
