"""A small shop whose secrets are words that occur nowhere else, and the policies over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake

CUSTOMERS = TableName("shop", "customers")
ORDERS = TableName("shop", "orders")
SALARIES = TableName("hr", "salaries")
KEY = "the-key-of-masks"

POLICIES = """
roles:
  analyst:
    tables:
      shop.orders: {}
      shop.customers:
        hide: [card]
        rows: country = 'DE'
        masks:
          email: hash
          name: {partial: {first: 1}}
          phone: redact
          born: redact
    limits: {rows: 1000, seconds: 5, memory: 512MiB, scanned: 100MB}
  clerk:
    tables:
      shop.customers:
        columns: [id, country, score]
        rows: score::INTEGER > 10 AND length(email) % 2 = 1
      shop.orders: {rows: "customer IN (1, 3)"}
  tiny:
    tables: {shop.orders: {}}
    limits: {rows: 2, scanned: 10}
  auditor:
    tables: {platform.audit: {}}
  hurried:
    tables: {shop.orders: {}}
    limits: {rows: 100000, seconds: 0.7, memory: 128MiB}
  keeper:
    tables: {shop.*: {}}
  admin:
    tables: {"*": {}}
"""

ROWS = {
    "id": [1, 2, 3, 4, 5, 6],
    "name": ["Annegret", "Bernadette", "Christiane", "Xylophonist", "Yggdrasil", "Zinfandel"],
    "email": [
        "annegret@post.example",
        "bernadette@post.example",
        "christiane@post.example",
        "xylophonist@hidden.example",
        "yggdrasil@hidden.example",
        "zinfandel@hidden.example",
    ],
    "phone": ["0049111", "0049222", "0049333", "0033444", "0033555", "0039666"],
    "country": ["DE", "DE", "DE", "FR", "FR", None],
    "score": ["11", "12", "13", "secretscore", "15", None],
    "born": [19700101, 19800202, 19900303, 17890714, 18480224, 19460602],
    "card": ["card-4000-1", "card-4000-2", "card-4000-3", "card-5000-4", "card-5000-5", "card-6"],
}
HIDDEN_ROWS = ("xylophonist", "yggdrasil", "zinfandel", "secretscore", "17890714", "18480224")
"""What only rows hold that an analyst does not see, in lower case."""
MASKED = (
    *("nnegret", "ernadette", "hristiane", "post.example", "hidden.example", "card-"),
    *("0049111", "0049222", "0049333", "0033444", "0033555", "0039666", "19700101", "19800202"),
)
"""What only masked or hidden columns hold, in lower case, without what a partial mask shows."""
OTHERS = ("winnetou", "98765")
"""What only the salaries hold, which nobody but an admin may read."""
SECRETS = (*HIDDEN_ROWS, *MASKED, *OTHERS, KEY)


def build(folder: Path, place: Mapping[str, str] | None = None) -> Lake:
    """The lake, its policies, and the key of its masks; ``place`` are settings that say where."""
    policies, key = folder / "policies.yaml", folder / "key"
    policies.write_text(POLICIES)
    key.write_text(KEY)
    given = {
        "lake_uri": str(folder / "lake"),
        "temp_dir": str(folder / "tmp"),
        "threads": 2,
        "memory_limit": 512 * 1024 * 1024,
        "policies": str(policies),
        "mask_key": key.as_uri(),
        **(place or {}),
    }
    settings = Settings.model_validate(given)
    lake = Lake(settings.lake_uri, settings)
    lake.publish(lake.stage(CUSTOMERS, pa.table(ROWS)))
    orders = {"id": [10, 11, 12, 13], "customer": [1, 2, 4, 5], "amount": [5.0, 7.5, 100.0, 900.0]}
    lake.publish(lake.stage(ORDERS, pa.table(orders)))
    lake.publish(lake.stage(CUSTOMERS.quarantine, pa.table({"row": ["card-quarantined"]})))
    lake.publish(lake.stage(SALARIES, pa.table({"who": ["winnetou"], "amount": [98765]})))
    return lake
