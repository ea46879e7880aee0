"""Settings of the platform, read from the environment (prefix ``ETL_``)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from etl_platform.core.secrets import SecretReference

_MEMORY_SHARE = 0.5
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def available_memory_bytes() -> int:
    """Memory that this process may use: the cgroup's limit where there is one, else the host's."""
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUP_LIMITS:
        if path.exists():
            text = path.read_text().strip()
            if text.isdigit():
                return min(host, int(text))
    return host


def available_threads() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Everything that an environment may change; each field is ``ETL_<FIELD>``.

    ``lake_uri`` and the SQLite path of ``metastore_url`` may be relative: they are resolved
    against the working directory when read.
    """

    model_config = SettingsConfigDict(env_prefix="ETL_", frozen=True, extra="ignore")

    lake_uri: str = Field(
        default=".etl/lake", description="Root of the lake: a folder, or s3://bucket/prefix."
    )
    metastore_url: str = Field(
        default="sqlite:///.etl/metastore.db",
        description="SQLAlchemy URL (or secret reference) of the platform's own records.",
    )
    memory_limit: int = Field(
        default_factory=lambda: int(available_memory_bytes() * _MEMORY_SHARE),
        description="Bytes that one process's engines may use; default half of the cgroup's limit.",
        gt=64 * 1024 * 1024,
    )
    threads: int = Field(
        default_factory=available_threads, description="Threads per process.", ge=1
    )
    temp_dir: str = Field(
        default=".etl/tmp", description="Where engines spill what does not fit in memory."
    )
    cache_limit: int = Field(
        default=10 * 1024**3,
        description="Bytes of a bucket's lake that are kept in the spill folder; the oldest go.",
        ge=0,
    )
    s3_endpoint_url: str | None = Field(
        default=None, description="Server of a lake in a bucket that is not AWS's own."
    )
    s3_region: str | None = Field(default=None, description="Region of the lake's bucket.")
    s3_profile: str | None = Field(
        default=None, description="Profile of the AWS configuration files, for the lake's bucket."
    )
    s3_access_key_id: SecretReference | None = Field(
        default=None, description="Secret reference to a key's id; default: AWS's own chain."
    )
    s3_secret_access_key: SecretReference | None = Field(
        default=None, description="Secret reference to the key."
    )
    s3_session_token: SecretReference | None = Field(
        default=None, description="Secret reference to the token of a temporary key."
    )
    results_dir: str | None = Field(
        default=None,
        description="Where results of queries are kept; default: results/ in the spill folder.",
    )
    results_limit: int = Field(
        default=1024**3, description="Bytes of results that are kept; the oldest go.", ge=0
    )
    policies: str | None = Field(
        default=None,
        description="YAML file that says what each role may query; none: no restriction.",
    )
    role: str | None = Field(
        default=None, description="The role that queries run as when they name none."
    )
    mask_key: str | None = Field(
        default=None, description="Secret reference to the key of hash masks."
    )
    catalog_dir: str = Field(
        default=".etl/catalog", description="Where the catalogue is kept and read by searches."
    )
    chroma_url: str | None = Field(
        default=None, description="Chroma server of the catalogue's records, instead of a folder."
    )
    embedding: str = Field(
        default="static",
        description="Model of the catalogue's vectors: static, minilm[:FOLDER], "
        "sentence-transformers:NAME or https://server/v1#model.",
    )
    embedding_key: str | None = Field(
        default=None, description="Secret reference to the key of an embedding server."
    )

    @field_validator("lake_uri", "temp_dir", "results_dir", "policies", "catalog_dir")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return (
            value if value is None or "://" in value else str(Path(value).expanduser().absolute())
        )

    @field_validator("metastore_url")
    @classmethod
    def _absolute_sqlite(cls, value: str) -> str:
        prefix = "sqlite:///"
        if value.startswith(prefix) and value != prefix and ":memory:" not in value:
            return prefix + str(Path(value[len(prefix) :]).expanduser().absolute())
        return value


@cache
def get_settings() -> Settings:
    """The process's settings, read once from the environment."""
    return Settings()
