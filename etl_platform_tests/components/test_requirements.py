"""What one reader of a table requires holds it up, and no other reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from etl_platform.components.options import AssetOptions
from etl_platform.core.settings import Settings
from etl_platform.io_manager import LakeIOManager
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.components.test_file_sink import sink


def rule(action: str, severity: str = "error", largest: int = 25) -> dict[str, object]:
    """A contract of orders of which one row breaks the rule."""
    said = {"rule": "range", "name": "small", "column": "amount", "max": largest}
    return {"contract": {"rules": [said | {"action": action, "severity": severity}]}}


def readers(**requires: Mapping[str, str] | None) -> dict[str, object]:
    tables = {
        name: {
            "from": "shop.orders",
            "steps": [{"select": ["id", "amount"]}],
            **({} if said is None else {"requires": dict(said)}),
        }
        for name, said in requires.items()
    }
    return {
        "type": "etl_platform.TransformComponent",
        "attributes": {"target_schema": "marts", "tables": tables},
    }


def made(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.step_key or "" for event in result.get_asset_materialization_events()}


def test_a_warning_holds_up_the_reader_that_minds_and_no_other(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source(tables={"orders": rule("warn", "warn")}))
    strict = {"shop.orders": "no_warnings"}
    tolerant = {"shop.orders": "no_quarantine"}
    project.write("marts/defs.yaml", readers(strict=strict, tolerant=tolerant, other=None))
    project.refresh()
    result = project.materialize()
    assert made(result) >= {"shop__orders", "marts__tolerant", "marts__other"}
    assert "marts__strict" not in made(result)
    told = failures(result)
    for part in (
        "marts.strict was not computed",
        "shop.orders, required no_warnings: check small: 1 of 3 rows break the rule",
        f"etl resume {result.run_id}",
    ):
        assert part in told
    # In a run of its own the reader finds the same; once the data is mended it is computed.
    assert "check small" in failures(project.materialize("marts/strict"))
    shop.execute("UPDATE orders SET amount = 5 WHERE id = 3")
    done = project.materialize("shop/orders", "marts/strict")
    assert done.success, failures(done)


def test_a_rule_that_was_not_checked_holds_up_the_reader_that_minds(
    project: Project, shop: Shop
) -> None:
    # A warning about a table that is not there.
    known = {"rule": "foreign_key", "name": "known", "column": "customer_id"}
    known |= {"references": "shop.people.id", "action": "warn"}
    project.write("shop/defs.yaml", source(tables={"orders": {"contract": {"rules": [known]}}}))
    required = {"shop.orders": "no_warnings"}
    project.write("marts/defs.yaml", readers(strict=required, other=None))
    project.refresh()
    result = project.materialize()
    assert made(result) >= {"shop__orders", "marts__other"}
    assert "marts__strict" not in made(result)
    assert "required no_warnings: rules were not checked: known: " in failures(result)


def test_rows_set_aside_hold_up_the_readers_that_need_all(
    project: Project, shop: Shop, tmp_path: Path
) -> None:
    project.write("shop/defs.yaml", source(tables={"orders": rule("quarantine")}))
    whole = {"*": "no_quarantine"}
    project.write("marts/defs.yaml", readers(whole=whole, rest={"shop.orders": "published"}))
    models = {"target_schema": "models", "defaults": {"requires": whole}}
    project.write(
        "models/defs.yaml", {"type": "etl_platform.SqlModelsComponent", "attributes": models}
    )
    text = "SELECT id FROM shop.orders\n"
    project.write("models/all.sql", text)
    project.write("models/some.sql", f"/*\nrequires: {{shop.orders: published}}\n*/\n{text}")
    project.write("sink/defs.yaml", sink(str(tmp_path / "out"), requires=whole))
    project.refresh()
    result = project.materialize()
    assert made(result) >= {"marts__rest", "models__some"}
    assert not made(result) & {"marts__whole", "models__all", "partner__orders"}
    told = "required no_quarantine: check small: 1 of 3 rows break the rule"
    assert failures(result).count(f"{told}: ") >= 3


def test_a_reader_may_go_on_with_the_last_good_version_or_wait_for_a_new_one(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source(tables={"orders": rule("block", largest=35)}))
    project.write("marts/defs.yaml", readers(waits={"shop.orders": "published"}, goes_on=None))
    project.refresh()
    first = project.materialize()
    assert first.success, failures(first)
    shop.execute("UPDATE orders SET amount = 50 WHERE id = 3")
    assert not project.materialize("shop/orders").success
    result = project.materialize("marts/waits", "marts/goes_on")
    assert made(result) == {"marts__goes_on"}
    assert "required published: check small" in failures(result)


def test_only_the_partition_that_is_read_counts(project: Project, shop: Shop) -> None:
    by_day = {"partition": {"column": "placed_at", "cadence": "daily", "start": "2024-01-01"}}
    project.write("shop/defs.yaml", source(tables={"orders": by_day | rule("warn", "warn")}))
    project.write("marts/defs.yaml", readers(strict={"shop.orders": "no_warnings"}))
    project.refresh()
    for day in ("2024-01-01", "2024-01-02"):
        project.materialize("shop/orders", partition=day)
    result = project.materialize("marts/strict")
    assert "shop.orders (partition 2024-01-02), required no_warnings" in failures(result)
    assert "2024-01-01" not in failures(result)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"shop.orders": "no_warning"}, "did you mean 'no_warnings'"),
        ({"a.b.c": "published"}, "a.b.c"),
    ],
)
def test_a_wrong_requirement_is_refused_with_what_is_valid(said: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AssetOptions(requires=said)


def test_a_requirement_of_a_table_that_is_not_read_is_refused_at_load(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", readers(strict={"shop.order": "published"}))
    project.refresh()
    with pytest.raises(Exception, match="Error while building") as refused, project.defs():
        pass
    assert "did you mean 'shop.orders'" in str(refused.value.__cause__)


def test_a_python_asset_of_a_partition_minds_its_own_partition_alone(
    memory_instance: dg.DagsterInstance, settings: Settings
) -> None:
    days = dg.StaticPartitionsDefinition(["good", "bad"])
    rules = {"rules": [{"rule": "range", "name": "small", "column": "n", "max": 1}]}
    rules["rules"][0] |= {"severity": "warn", "action": "warn"}

    @lake_asset(key=["shop", "counts"], contract=rules, partitions_def=days)
    def counts(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"n": [1 if context.partition_key == "good" else 2]})

    @lake_asset(
        key=["marts", "sums"],
        deps=[counts],
        partitions_def=days,
        requires={"shop.counts": "no_warnings"},
    )
    def sums() -> pl.DataFrame:
        return pl.DataFrame({"n": [1]})

    manager = LakeIOManager(lake=LakeResource(), retry_delay_s=0)
    job = dg.Definitions([counts, sums], resources={"lake_io_manager": manager})
    whole = job.resolve_implicit_global_asset_job_def()

    def run(key: dg.AssetKey, day: str) -> dg.ExecuteInProcessResult:
        return whole.execute_in_process(
            instance=memory_instance,
            asset_selection=[key],
            partition_key=day,
            raise_on_error=False,
        )

    for day in ("bad", "good"):
        assert run(counts.key, day).success
    assert run(sums.key, "good").success
    assert "shop.counts (partition bad), required no_warnings" in failures(run(sums.key, "bad"))
