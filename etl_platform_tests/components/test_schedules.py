"""Jobs, schedules, freshness, automation and pools that components make."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import ORDERS, source


def test_a_tick_requests_all_assets_that_have_no_schedule_of_their_own(
    project: Project, shop: Shop
) -> None:
    own = {"schedule": {"cron": "0 * * * *", "enabled": False}}
    project.write(
        "shop/defs.yaml",
        source(
            schedule={"cron": "30 6 * * 1-5", "timezone": "Europe/Berlin"}, tables={"orders": own}
        ),
    )
    project.refresh()
    with project.defs() as defs:
        repository = defs.get_repository_def()
        schedule = repository.get_schedule_def("shop_refresh_schedule")
        assert schedule.cron_schedule == "30 6 * * 1-5"
        assert schedule.execution_timezone == "Europe/Berlin"
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        job = repository.get_job("shop_refresh")
        assert job.asset_layer.selected_asset_keys == {dg.AssetKey(["shop", "customers"])}
        other = repository.get_schedule_def("shop_orders_refresh_schedule")
        assert other.default_status is dg.DefaultScheduleStatus.STOPPED
        context = dg.build_schedule_context(instance=project.instance, repository_def=repository)
        data = schedule.evaluate_tick(context)
        assert len(data.run_requests or []) == 1
        assert job.execute_in_process(instance=project.instance).success
    assert len(project.rows("shop.customers")) == 2


@pytest.mark.stored_instance
def test_a_tick_of_a_partitioned_asset_requests_the_newest_complete_partition(
    project: Project, shop: Shop
) -> None:
    partition = {"column": "placed_at", "cadence": "daily", "start": "2024-01-01"}
    project.write(
        "shop/defs.yaml",
        source(schedule={"cron": "0 1 * * *"}, tables={"orders": {"partition": partition}}),
    )
    project.refresh()
    with project.defs() as defs:
        repository = defs.get_repository_def()
        schedule = repository.get_schedule_def("shop_refresh_1_schedule")
        context = dg.build_schedule_context(
            instance=project.instance,
            repository_def=repository,
            scheduled_execution_time=datetime(2024, 1, 3, 1, tzinfo=UTC),
        )
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key == "2024-01-02"


def test_freshness_automation_and_pool_are_those_declared(project: Project, shop: Shop) -> None:
    project.write(
        "shop/defs.yaml",
        source(
            defaults={
                "freshness": {"fail_after": "24h", "warn_after": "12h"},
                "automation": "eager",
            },
            tables={
                "orders": {
                    "freshness": {
                        "deadline": "0 9 * * *",
                        "within": "3h",
                        "timezone": "Europe/Rome",
                    },
                    "automation": "0 * * * *",
                }
            },
        ),
    )
    project.refresh()
    with project.defs() as defs:
        customers = dg.AssetKey(["shop", "customers"])
        spec = defs.resolve_assets_def(customers).specs_by_key[customers]
        assert "fail_window" in repr(spec.freshness_policy)
        assert spec.automation_condition == dg.AutomationCondition.eager()
        orders = defs.resolve_assets_def(ORDERS)
        spec = orders.specs_by_key[ORDERS]
        assert "0 9 * * *" in repr(spec.freshness_policy)
        assert spec.automation_condition == dg.AutomationCondition.on_cron("0 * * * *")
        assert orders.op.pool == "shop"


def test_eager_models_follow_a_change_of_their_source(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write(
        "marts/defs.yaml",
        {
            "type": "etl_platform.SqlModelsComponent",
            "attributes": {"target_schema": "marts", "defaults": {"automation": "eager"}},
        },
    )
    project.write("marts/ids.sql", "SELECT id FROM shop.orders")
    project.refresh()
    with project.defs() as defs:
        first = dg.evaluate_automation_conditions(defs, project.instance)
        assert project.materialize("shop/orders").success
        second = dg.evaluate_automation_conditions(defs, project.instance, cursor=first.cursor)
    assert second.get_num_requested(dg.AssetKey(["marts", "ids"])) == 1
