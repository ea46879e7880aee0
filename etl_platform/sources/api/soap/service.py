"""A service as its WSDL describes it: envelopes for its operations, and what answers hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.sources.api.messages import (
    ApiRefused,
    ApiRequest,
    ApiResponse,
    ApiUnavailable,
    BadResponse,
    Transport,
)
from etl_platform.sources.api.soap.options import SoapOptions

if TYPE_CHECKING:
    from zeep import Client

_FAULT = 500
"""The status that faults come with (SOAP 1.1, section 6.2; SOAP 1.2 part 2, section 7.5.2)."""
_XML = "text/xml, application/soap+xml, application/xml"
_ENVELOPES = {
    "soap11": ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8"),
    "soap12": ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8"),
}


class SoapService:
    """One operation of a service. The description is read once, when it is first needed.

    Args:
        options: what is declared.
        transport: of the API; the description comes through it, too.
        base_url: of the API.
    """

    def __init__(self, options: SoapOptions, transport: Transport, base_url: str) -> None:
        self._options = options
        self._transport = transport
        self._base = base_url
        self._lock = Lock()
        self._read: tuple[Client, Any, str] | None = None

    def request(self, arguments: Mapping[str, Any]) -> ApiRequest:
        """The request that asks for the operation with these arguments.

        Raises:
            ConfigError: the operation has no such argument, or lacks one.
            PermanentError: the description cannot be read.
        """
        import zeep.exceptions
        from zeep.wsdl.utils import etree_to_string

        _, operation, address = self._known()
        try:
            made = operation.create(**arguments)
        except (TypeError, ValueError, zeep.exceptions.Error) as error:
            raise ConfigError(
                f"operation {operation.name} does not take these arguments: {error}",
                valid=str(operation.input.signature()),
                fix="correct soap.arguments",
            ) from error
        action = operation.soapaction or ""
        if operation.nsmap["soap-env"] == _ENVELOPES["soap12"][0]:
            kind = _ENVELOPES["soap12"][1] + (f'; action="{action}"' if action else "")
            headers = {"Content-Type": kind}
        else:
            headers = {"Content-Type": _ENVELOPES["soap11"][1], "SOAPAction": f'"{action}"'}
        return ApiRequest(
            url=address,
            method="POST",
            headers={**headers, "Accept": _XML},
            body=etree_to_string(made.content),
            repeatable=True,
            answers=frozenset({_FAULT}),
        )

    def result(self, response: ApiResponse) -> Any:
        """What an answer holds: dictionaries, lists and values of Python.

        Raises:
            ApiRefused: a fault of who asks.
            ApiUnavailable: a fault of the server, or a failure without a fault.
            BadResponse: it is not what the description says.
        """
        import zeep.exceptions
        from lxml.etree import LxmlError
        from zeep.helpers import serialize_object

        from etl_platform.sources.api.soap.documents import as_reply

        client, operation, _ = self._known()
        try:
            found = operation.binding.process_reply(client, operation, as_reply(response))
        except zeep.exceptions.Fault as fault:
            if not fault.code:  # zeep's word for a failure that is not written as a fault
                raise _no_fault(response) from None
            code = str(fault.code)
            text = f"{response.url}: fault {code}: {fault.message}"
            # "Server" and "Receiver" (SOAP 1.2): the same message may do later.
            if code.rpartition(":")[2].partition(".")[0] in ("Server", "Receiver"):
                raise ApiUnavailable(text) from None
            raise ApiRefused(text, fix="correct soap.arguments") from None
        except (zeep.exceptions.Error, LxmlError, KeyError, TypeError, ValueError) as error:
            if response.status == _FAULT:
                raise _no_fault(response) from None
            raise BadResponse(
                f"{response.url}: the answer is not what the WSDL says of "
                f"{operation.name}: {str(error)[:300]}",
                fix="see whether the service has changed",
            ) from None
        return serialize_object(found, dict)  # pyright: ignore[reportArgumentType] # any mapping will do

    def _known(self) -> tuple[Client, Any, str]:
        with self._lock:
            if self._read is None:
                self._read = self._described()
            return self._read

    def _described(self) -> tuple[Client, Any, str]:
        import zeep.exceptions
        from lxml.etree import LxmlError
        from zeep import Client, Settings

        from etl_platform.sources.api.soap.documents import ThroughApi

        options = self._options
        place = self._place(options.wsdl)
        settings = Settings(forbid_dtd=True)  # pyright: ignore[reportCallIssue] # an attrs class
        try:
            client = Client(place, transport=ThroughApi(self._transport, place), settings=settings)
        except (zeep.exceptions.Error, LxmlError, NotImplementedError) as error:
            raise PermanentError(
                f"{options.wsdl} is not a description that can be used: {str(error)[:300]}",
                valid="WSDL 1.1 with SOAP 1.1 or 1.2 over HTTP",
            ) from error
        except OSError as error:
            raise ConfigError(f"{options.wsdl} cannot be read: {error.strerror}") from error
        services = client.wsdl.services
        name = options.service or next(iter(services), "")
        if name not in services:
            raise UnknownName("service", name, services, where=options.wsdl)
        ports = services[name].ports
        port_name = options.port or next(iter(ports), "")
        if port_name not in ports:
            raise UnknownName("port", port_name, ports, where=options.wsdl)
        port = ports[port_name]
        operations: dict[str, Any] = port.binding.all()
        if options.operation not in operations:
            raise UnknownName("operation", options.operation, operations, where=options.wsdl)
        address = options.address or port.binding_options["address"]
        return client, operations[options.operation], address

    def _place(self, wsdl: str) -> str:
        """A file as it is; a path that is none belongs to the API."""
        if wsdl.startswith("/") and not Path(wsdl).exists():
            return self._base.rstrip("/") + wsdl
        return wsdl


def _no_fault(response: ApiResponse) -> ApiUnavailable:
    return ApiUnavailable(f"{response.url} answered {response.status}, without a fault of SOAP")
