"""From what is declared of a stream's messages to their decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from etl_platform.sources.stream.formats import Decoder, StreamFormat


def as_format(declared: Any) -> StreamFormat:
    """Read a format as it stands in YAML.

    Raises:
        ConfigError: an option is missing, unknown or unusable.
    """
    from pydantic import TypeAdapter, ValidationError

    from etl_platform.sources.stream.formats import StreamFormat

    try:
        return TypeAdapter[StreamFormat](StreamFormat).validate_python(declared)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'decode'}: {one['msg']}" for one in error.errors()
        )
        raise ConfigError(f"decode: {wrong}") from None


def decoder_of(declared: Any) -> Decoder:
    """The decoder of a format; nothing is connected to."""
    return as_format(declared).decoder()
