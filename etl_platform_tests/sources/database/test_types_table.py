"""docs/types.md tells what happens, because it is what happened."""

from __future__ import annotations

import pytest

from etl_platform_tests.sources.database import types_table


@pytest.mark.postgres
@pytest.mark.mariadb
def test_the_table_of_types_in_the_documentation_is_what_reading_them_gives(
    postgres_server, mariadb_server, tmp_path
):
    found = types_table.table(postgres_server, mariadb_server, tmp_path)
    wrong = [line for line in found.splitlines() if types_table.WRONG in line]
    assert wrong == []
    assert found == types_table.FILE.read_text(encoding="utf-8"), (
        "run python -m etl_platform_tests.sources.database.types_table"
    )
