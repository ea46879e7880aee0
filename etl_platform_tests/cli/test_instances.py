"""Commands that look at runs say what is wrong with DAGSTER_HOME."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_platform.cli.instances import open_instance
from etl_platform.core.errors import ConfigError


@pytest.mark.parametrize(
    ("home", "said"),
    [
        (None, "DAGSTER_HOME is not set"),
        ("relative", "mkdir -p /"),
        ("{folder}/missing", "mkdir -p {folder}/missing"),
        ("{folder}", "dagster.yaml: "),
    ],
)
def test_what_cannot_be_opened_is_an_error_with_a_next_step(
    home: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("storage: {nonsense: 1}\n")
    if home is not None:
        monkeypatch.setenv("DAGSTER_HOME", home.format(folder=tmp_path))
    with pytest.raises(ConfigError) as error:
        open_instance()
    assert said.format(folder=tmp_path) in str(error.value)
