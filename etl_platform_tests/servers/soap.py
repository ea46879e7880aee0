"""A SOAP service with a WSDL of its own on loopback: readings by page, and faults.

User and password are ``soap`` and ``soap-password`` (RFC 7617).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

from lxml import etree

USER, PASSWORD = "soap", "soap-password"
READINGS = 25
PAGE = 10
_NS = "urn:weather"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"

WSDL = """<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:w="urn:weather"
    targetNamespace="urn:weather" name="Weather">
  <wsdl:types>
    <xsd:schema targetNamespace="urn:weather" elementFormDefault="qualified">
      <xsd:include schemaLocation="/weather.xsd"/>
    </xsd:schema>
  </wsdl:types>
  <wsdl:message name="In"><wsdl:part name="parameters" element="w:GetReadings"/></wsdl:message>
  <wsdl:message name="Out">
    <wsdl:part name="parameters" element="w:GetReadingsResponse"/>
  </wsdl:message>
  <wsdl:portType name="WeatherPort">
    <wsdl:operation name="GetReadings">
      <wsdl:input message="w:In"/><wsdl:output message="w:Out"/>
    </wsdl:operation>
  </wsdl:portType>
  <wsdl:binding name="WeatherBinding" type="w:WeatherPort">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="GetReadings">
      <soap:operation soapAction="urn:weather:GetReadings"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input>
      <wsdl:output><soap:body use="literal"/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="Weather">
    <wsdl:port name="Main" binding="w:WeatherBinding">
      <soap:address location="{base}/service"/>
    </wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""
XSD = """<?xml version="1.0" encoding="utf-8"?>
<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:w="urn:weather"
    targetNamespace="urn:weather" elementFormDefault="qualified">
  <xsd:complexType name="Reading"><xsd:sequence>
    <xsd:element name="id" type="xsd:long"/>
    <xsd:element name="station" type="xsd:string"/>
    <xsd:element name="at" type="xsd:dateTime"/>
    <xsd:element name="amount" type="xsd:decimal"/>
    <xsd:element name="wet" type="xsd:boolean"/>
    <xsd:element name="note" type="xsd:string" minOccurs="0"/>
  </xsd:sequence></xsd:complexType>
  <xsd:element name="GetReadings"><xsd:complexType><xsd:sequence>
    <xsd:element name="station" type="xsd:string" minOccurs="0"/>
    <xsd:element name="since" type="xsd:dateTime" minOccurs="0"/>
    <xsd:element name="page" type="xsd:int"/>
  </xsd:sequence></xsd:complexType></xsd:element>
  <xsd:element name="GetReadingsResponse"><xsd:complexType><xsd:sequence>
    <xsd:element name="total" type="xsd:int"/>
    <xsd:element name="reading" type="w:Reading" minOccurs="0" maxOccurs="unbounded"/>
  </xsd:sequence></xsd:complexType></xsd:element>
</xsd:schema>
"""


@dataclass
class Seen:
    """What the service was asked, and what it says next instead of an answer."""

    actions: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    say: list[tuple[int, bytes]] = field(default_factory=list)


def fault(code: str, text: str) -> tuple[int, bytes]:
    """An answer that is a fault (SOAP 1.1)."""
    body = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{text}</faultstring></s:Fault>"
    return 500, _enveloped(body)


def _enveloped(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{_ENVELOPE}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def _answer(page: int, since: str | None) -> bytes:
    found = [n for n in range(1, READINGS + 1) if since is None or f"2013-01-{n:02}" >= since[:10]]
    readings = "".join(
        f"<w:reading><w:id>{n + 2**53}</w:id><w:station>{escape('J & K')}</w:station>"
        f"<w:at>2013-01-{n:02}T00:00:00Z</w:at><w:amount>{n}.10000000000000000001</w:amount>"
        f"<w:wet>{'true' if n % 2 else 'false'}</w:wet></w:reading>"
        for n in found[(page - 1) * PAGE : page * PAGE]
    )
    total = f"<w:total>{len(found)}</w:total>"
    return _enveloped(
        f'<w:GetReadingsResponse xmlns:w="{_NS}">{total}{readings}</w:GetReadingsResponse>'
    )


@contextmanager
def soap_server() -> Generator[tuple[str, Seen]]:
    """Its base URL, and what it sees."""
    seen = Seen()
    expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            documents = {"/weather?wsdl": WSDL.replace("{base}", base), "/weather.xsd": XSD}
            found = documents.get(self.path)
            self._say(200 if found else 404, (found or "nothing").encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Authorization") != f"Basic {expected}":
                self._say(401, b"who are you?")
                return
            seen.actions.append(self.headers.get("SOAPAction", ""))
            if seen.say:
                self._say(*seen.say.pop(0))
                return
            asked = etree.fromstring(body)
            page = int(asked.findtext(f".//{{{_NS}}}page") or "1")
            seen.pages.append(page)
            self._say(200, _answer(page, asked.findtext(f".//{{{_NS}}}since")))

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield base, seen
    finally:
        server.shutdown()
        server.server_close()
