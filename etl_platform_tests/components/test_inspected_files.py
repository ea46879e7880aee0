"""What an inspection writes down is a source that loads as it is."""

from __future__ import annotations

from etl_platform.generate.objects import component_yaml, inspect_objects, place_of
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.servers.s3 import S3Server


def test_a_bucket_becomes_tables_by_what_its_inspection_says(
    project: Project, s3_server: S3Server
) -> None:
    bucket, connection = s3_server.bucket(), s3_server.connection()
    days = [f"in/orders/day=2024-01-{day:02d}/part-0.csv" for day in range(1, 6)]
    s3_server.fill(bucket, days, "id;amount\n1;2,5\n2;3\n")
    for number, code in enumerate(("1", "x1", "7")):
        s3_server.fill(bucket, [f"in/codes_{number}.csv"], f"code,n\n{code},{number}\n")
    s3_server.fill(bucket, ["in/broken.parquet"], "PAR1?")
    place = place_of(f"s3://{bucket}/in", connection)
    told = connection.model_dump()
    text = component_yaml(inspect_objects(place, settings=project.lake.settings), told)
    assert "# left out: broken.parquet: damaged Parquet" in text
    project.write("landing/defs.yaml", text.replace("target_schema: in", "target_schema: landing"))
    result = project.materialize()
    assert result.success
    codes = sorted((row["code"], row["n"]) for row in project.rows("landing.codes"))
    assert codes == [("1", 0), ("7", 2), ("x1", 1)]
    orders = project.rows("landing.orders")
    assert sorted({str(row["_file"]) for row in orders}) == [key[3:] for key in days]
    assert [row["id"] for row in orders[:2]] == [1, 2]
