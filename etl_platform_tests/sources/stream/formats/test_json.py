"""JSON messages become typed rows; what cannot is rejected with its reason."""

from __future__ import annotations

import pyarrow as pa

from etl_platform.sources.stream.formats import JsonFormat
from etl_platform_tests.sources.stream.formats.messages import batch


def test_messages_become_rows_with_the_chosen_columns_of_the_message() -> None:
    declared = {"id": {"type": "int64", "required": True}, "at": "timestamptz"}
    form = JsonFormat.model_validate({"columns": declared, "key": True, "headers": True})
    decoder = form.decoder()
    got = decoder.decode(batch([b'{"id": 1, "at": "2024-01-02T03:04:05Z"}', b"{", b'{"id": 2}']))
    assert got.rows.schema == decoder.schema(pa.int64())
    assert got.rows["id"].to_pylist() == [1, 2]
    assert got.rows["_key"].to_pylist() == [b"k0", b"k2"]
    assert got.rows["_source_position"].to_pylist() == [0, 2]
    assert got.rejected["position"].to_pylist() == [1]
    assert got.rejected["value"].to_pylist() == [b"{"]
    assert "not JSON" in got.rejected["reason"][0].as_py()
