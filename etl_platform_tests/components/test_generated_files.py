"""From a folder's or a bucket's address to tables in the lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.generated import generated, green
from etl_platform_tests.servers.s3 import S3Server


def test_a_folder_becomes_green_tables_and_new_files_are_drift(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "landing"
    folder.mkdir()
    (folder / "people.csv").write_text("id;email\n1;ada@example.org\n2;g@example.org\n")
    (folder / "events.jsonl").write_text('{"id": 1, "at": "2024-01-01T00:00:00Z"}\n')
    planned = generated(project, str(folder))
    (change,) = planned.changes
    assert "personal data: email (email)" in (change.after or "")
    assert green(project) == {"shop/people", "shop/events"}
    assert [row["id"] for row in project.rows("shop.people")] == [1, 2]
    assert generated(project, str(folder)).changes == ()
    (folder / "orders.csv").write_text("id,amount\n1,2.5\n")
    (change,) = generated(project, f"file://{folder}").changes
    assert "orders:" in change.diff
    assert green(project) == {"shop/people", "shop/events", "shop/orders"}


def test_a_bucket_becomes_green_tables_without_its_keys(
    project: Project, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = s3_server.connection()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", connection.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", connection.secret_access_key),
    ):
        monkeypatch.setenv(name, str(value))
    bucket = s3_server.bucket()
    days = [f"in/orders/day=2024-01-{day:02d}/part-0.csv" for day in range(1, 6)]
    s3_server.fill(bucket, days, "id;amount\n1;2,5\n2;3\n")
    planned = generated(
        project, f"s3://{bucket}/in", region=connection.region, endpoint_url=connection.endpoint_url
    )
    (change,) = planned.changes
    assert "one partition for each day" in (change.after or "")
    assert str(connection.secret_access_key) not in (change.after or "")
    assert green(project) == {"shop/orders"}
    assert len(project.rows("shop.orders")) == 10
