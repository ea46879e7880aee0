"""Ways of paging, each a module; ``detection`` finds the one that an API uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from etl_platform.sources.api.pagination.connection import Connection
from etl_platform.sources.api.pagination.cursor import Cursor
from etl_platform.sources.api.pagination.keyset import Keyset
from etl_platform.sources.api.pagination.link_header import LinkHeader
from etl_platform.sources.api.pagination.next_url import NextUrl
from etl_platform.sources.api.pagination.offset import Offset
from etl_platform.sources.api.pagination.page_number import PageNumber
from etl_platform.sources.api.pagination.single import SinglePage

Pagination = Annotated[
    PageNumber | Offset | Cursor | NextUrl | LinkHeader | Connection | Keyset | SinglePage,
    Field(discriminator="type"),
]
"""What ``pagination:`` chooses in YAML by its ``type``."""
