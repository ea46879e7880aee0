"""Requests with places to fill in: ``/customers/{parent.id}/orders``.

Placeholders are ``{parent.FIELD}`` (a field of the parent's record, names joined by dots),
``{since}`` (where an incremental run begins), and what the pagination fills in: ``{page}``,
``{size}``, ``{offset}``, ``{limit}``, ``{cursor}``, ``{after}``. Other braces stay as they are. A
text that is only a placeholder takes the value's own type in a body, and is left out of query and
headers where there is no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote

from pydantic import JsonValue

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.messages import ApiRequest
from etl_platform.sources.api.pagination.protocol import Step
from etl_platform.sources.api.resources import ResourceOptions, Scalar

_NAMES = r"parent(?:\.\w+)+|since|page|size|offset|limit|cursor|after"
_PLACE = re.compile(r"\{(" + _NAMES + r")\}")


class RequestTemplate:
    """The requests of one resource.

    Args:
        parent: the record that they are about, if any.
        since: where an incremental run begins; None for everything.
    """

    def __init__(
        self,
        resource: ResourceOptions,
        parent: Mapping[str, JsonValue] | None = None,
        since: Scalar | None = None,
    ) -> None:
        self._resource = resource
        self._known: dict[str, JsonValue] = {"parent": cast("JsonValue", parent), "since": since}
        whole = [resource.path, resource.params, resource.headers, resource.body]
        self._named = frozenset(_PLACE.findall(json.dumps(whole)))

    def build(self, step: Step) -> ApiRequest:
        """The request of one page.

        Raises:
            ConfigError: a placeholder has no value where it needs one.
        """
        resource = self._resource
        values = self._known | dict(step.values)
        headers = {
            name: text
            for name, one in resource.headers.items()
            if (text := _text(self._filled(one, values))) is not None
        }
        body = None
        if resource.body is not None:
            body = json.dumps(self._filled(resource.body, values), ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/json")
        headers.setdefault("Accept", "application/json")
        return ApiRequest(
            url=step.url or self._path(values),
            method=resource.method,
            # An address that the server gave is whole: its query is the server's.
            params=() if step.url else self._params(step, values),
            headers=headers,
            body=body,
            repeatable=resource.repeatable,
        )

    def _path(self, values: Mapping[str, JsonValue]) -> str:
        def fill(place: re.Match[str]) -> str:
            text = _text(_value(place[1], values))
            if not text:
                raise ConfigError(
                    f"path {self._resource.path!r}: there is no value for {place[0]}",
                    fix="leave out parents that have none, or name another field",
                )
            if text in (".", ".."):
                raise ConfigError(
                    f"path {self._resource.path!r}: {place[0]} is {text!r}, which leads to another "
                    "path",
                    fix="leave out such parents, or name another field",
                )
            return quote(text, safe="")  # one segment, whatever it holds

        return _PLACE.sub(fill, self._resource.path)

    def _params(self, step: Step, values: Mapping[str, JsonValue]) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        names = self._own_params(step)
        for name, declared in self._resource.params.items():
            if name in names.values():
                continue
            for one in declared if isinstance(declared, list) else [declared]:
                text = _text(self._filled(one, values))
                if text is not None:
                    found.append((name, text))
        own = {name: values[place] for place, name in names.items()}
        found += [(name, text) for name, one in own.items() if (text := _text(one)) is not None]
        return tuple(found)

    def _own_params(self, step: Step) -> dict[str, str]:
        """Parameters that are not written in the declaration, by what fills them."""
        own = {place: name for place, name in step.params.items() if place in step.values}
        incremental = self._resource.incremental
        if incremental is not None and incremental.param is not None:
            own["since"] = incremental.param
        return {place: name for place, name in own.items() if place not in self._named}

    def _filled(self, template: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
        if isinstance(template, dict):
            return {name: self._filled(one, values) for name, one in template.items()}
        if isinstance(template, list):
            return [self._filled(one, values) for one in template]
        if not isinstance(template, str):
            return template
        only = _PLACE.fullmatch(template)
        if only:
            return _value(only[1], values)
        return _PLACE.sub(lambda place: _text(_value(place[1], values)) or "", template)


def _value(place: str, values: Mapping[str, JsonValue]) -> JsonValue:
    first, *names = place.split(".")
    found = values.get(first)
    for depth, name in enumerate(names):
        if not isinstance(found, dict) or name not in found:
            known = ", ".join(found) if isinstance(found, dict) else "none"
            raise ConfigError(
                f"placeholder {{{place}}}: there is no {'.'.join([first, *names[: depth + 1]])}",
                valid=f"the parent's record has {known}" if first == "parent" else None,
                fix="name a field of the parent's records, which parent: resource declares",
            )
        found = found[name]
    return found


def _text(value: JsonValue) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
