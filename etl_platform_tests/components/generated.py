"""A pipeline made of an address within a project, and materialised."""

from __future__ import annotations

from etl_platform.generate.pipeline import Ask, Plan, existing_attributes, kind_of, plan
from etl_platform_tests.components.conftest import Project


def generated(
    project: Project, uri: str, region: str | None = None, endpoint_url: str | None = None
) -> Plan:
    """Write the pipeline ``shop``, as ``etl add URI --name shop --yes`` does."""
    existing = existing_attributes(project.folder, "shop")
    ask = Ask(uri, "shop", "SHOP_URL", existing=existing, region=region, endpoint_url=endpoint_url)
    planned = plan(project.folder, kind_of(uri).describe(ask))
    planned.apply(project.folder)
    return planned


def green(project: Project) -> set[str]:
    """Materialise everything that has no partitions; what was, all of whose checks passed."""
    result = project.materialize()
    failed = [event.event_specific_data for event in result.all_events if event.is_step_failure]
    assert result.success, failed
    refused = [one.check_name for one in result.get_asset_check_evaluations() if not one.passed]
    assert refused == []
    return {
        event.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
