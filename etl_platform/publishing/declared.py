"""What a user's own asset declares about its table, carried in the asset's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from etl_platform.core.errors import ConfigError
from etl_platform.publishing.anomaly_checks import Watch, as_watch

if TYPE_CHECKING:
    from pandera.api.dataframe.model import DataFrameModel
    from pandera.polars import DataFrameSchema

    from etl_platform.lakehouse import Mode
    from etl_platform.quality import Contract
    from etl_platform.quality.profile import LevelChoice

    AnomaliesLike = Watch | Sequence[str] | Mapping[str, object] | None
    ContractLike = (
        Contract | Mapping[str, object] | str | DataFrameSchema | type[DataFrameModel[Any, Any]]
    )

CONTRACT_KEY = "etl_platform/contract"
MODE_KEY = "etl_platform/mode"
MERGE_KEY = "etl_platform/merge_key"
PROFILE_KEY = "etl_platform/profile"
ANOMALIES_KEY = "etl_platform/anomalies"
LEVELS = ("auto", "full", "basic", "off")


def as_contract(declared: ContractLike | None, where: str) -> Contract:
    """Read a contract in any of the forms in which one may be declared.

    Args:
        declared: a contract, its YAML form, a pandera schema or model, or the place of one of these
            in Python, written ``package.module:name``. None is the contract without rules.
        where: what declares it, for the error.

    Raises:
        ConfigError: the contract is malformed, or nothing is at that place.
    """
    from etl_platform.quality import Contract

    if declared is None:
        return Contract()
    if isinstance(declared, Contract):
        return declared
    if isinstance(declared, str):
        return as_contract(_imported(declared, where), where)
    if isinstance(declared, Mapping):
        return Contract.parse(declared, where)
    return Contract.from_pandera(declared)


@dataclass(frozen=True, slots=True)
class Declared:
    """How an asset's value meets its table; ``merge_key`` are the columns of an upsert.

    ``profile`` is how much the profile says, ``watch`` the metrics that are judged.
    """

    contract: Contract
    mode: Mode
    merge_key: tuple[str, ...] = ()
    profile: LevelChoice = "auto"
    watch: Watch = field(default_factory=Watch)

    def to_metadata(self) -> dict[str, object]:
        """The form kept on the asset.

        The contract stays the object that it is: the Python checks of a pandera model have no text.
        """
        found: dict[str, object] = {MODE_KEY: str(self.mode)}
        if self.contract.rules:
            found[CONTRACT_KEY] = self.contract
        if self.merge_key:
            found[MERGE_KEY] = list(self.merge_key)
        if self.profile != "auto":
            found[PROFILE_KEY] = self.profile
        if self.watch.metrics:
            found[ANOMALIES_KEY] = {
                "metrics": list(self.watch.metrics),
                "sensitivity": self.watch.sensitivity,
                "severity": self.watch.severity,
            }
        return found

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, object], where: str) -> Declared:
        """Read an asset's metadata back; plain values are understood too.

        Raises:
            ConfigError: for a malformed contract or mode, or an upsert without a key.
        """
        from etl_platform.lakehouse import Mode

        contract = _plain(metadata.get(CONTRACT_KEY))
        mode = _plain(metadata.get(MODE_KEY)) or Mode.REPLACE
        merge_key = _plain(metadata.get(MERGE_KEY)) or ()
        names = (merge_key,) if isinstance(merge_key, str) else cast("Sequence[str]", merge_key)
        return cls.of(
            cast("ContractLike | None", contract),
            str(mode),
            tuple(names),
            where,
            profile=str(_plain(metadata.get(PROFILE_KEY)) or "auto"),
            anomalies=cast("AnomaliesLike", _plain(metadata.get(ANOMALIES_KEY))),
        )

    @classmethod
    def of(
        cls,
        contract: ContractLike | None,
        mode: str,
        merge_key: Sequence[str],
        where: str,
        *,
        profile: str = "auto",
        anomalies: AnomaliesLike = None,
    ) -> Declared:
        """Build from what a user wrote.

        Raises:
            ConfigError: for a malformed contract, mode, profile or metric, or an upsert without a
                key.
        """
        from etl_platform.lakehouse import Mode

        valid = (Mode.REPLACE, Mode.APPEND, Mode.UPSERT)
        if mode not in valid:
            raise ConfigError(
                f"{where}: unknown mode {mode!r}", valid=", ".join(str(m) for m in valid)
            )
        if (mode == Mode.UPSERT) != bool(merge_key):
            raise ConfigError(
                f"{where}: mode {mode!r} with merge key {list(merge_key)!r}",
                valid="a merge key for upsert, and for upsert only",
            )
        if profile not in LEVELS:
            raise ConfigError(f"{where}: profile is {profile!r}", valid=", ".join(LEVELS))
        return cls(
            as_contract(contract, where),
            Mode(mode),
            tuple(merge_key),
            profile,
            as_watch(anomalies, where),
        )


def _plain(value: object) -> object:
    return value.value if isinstance(value, dg.MetadataValue) else value


def _imported(place: str, where: str) -> ContractLike:
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{where}: there is no contract at {place!r}: {error}",
            valid="package.module:name of a pandera model or schema, or of a contract",
        ) from error
