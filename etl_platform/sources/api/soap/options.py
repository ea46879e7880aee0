"""What may be declared about a resource that is read by an operation of SOAP."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class SoapOptions(BaseModel):
    """One operation that only asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wsdl: str = Field(
        description="File of the description, or its address: a URL, or a path below base_url.",
        examples=["weather.wsdl", "/service?wsdl"],
    )
    operation: str = Field(description="Its name in the WSDL.", examples=["GetReadings"])
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="As the WSDL has them; they may hold placeholders, such as {since}, {page}.",
        examples=[{"station": "JFK", "page": "{page}"}],
    )
    service: str | None = Field(default=None, description="Default: the first of the WSDL.")
    port: str | None = Field(default=None, description="Default: the first of the service.")
    address: str | None = Field(
        default=None,
        description="Where requests go, below base_url or whole. Default: what the WSDL says.",
    )
