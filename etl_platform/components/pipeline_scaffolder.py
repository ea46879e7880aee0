"""What ``dg scaffold defs etl_platform.pipeline NAME --uri URI`` writes: what ``etl add`` does."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_with
from pydantic import BaseModel, Field

from etl_platform.core.errors import ConfigError, EtlError


class PipelineParameters(BaseModel):
    """What the command asks for."""

    uri: str = Field(
        description="Where the source is: a database, a reference of one (env://NAME), "
        "s3://bucket/prefix, a path, an API or its OpenAPI document, kafka://host:9092/topic, "
        "kinesis://stream. A password in it is never written."
    )
    secret: str | None = Field(
        default=None, description="Variable that is to hold the secret; default: NAME_URL."
    )
    region: str | None = Field(default=None, description="Of AWS.")
    endpoint_url: str | None = Field(default=None, description="Of what stands for AWS.")


class PipelineScaffolder(Scaffolder[PipelineParameters]):
    """Looks at a source and writes what loads it. Merging into what is there is ``etl add``'s."""

    @classmethod
    def get_scaffold_params(cls) -> type[PipelineParameters]:
        return PipelineParameters

    def scaffold(self, request: ScaffoldRequest[PipelineParameters]) -> None:
        """Write the files of a new pipeline.

        Raises:
            ClickException: what ``etl add`` would say, without the stack of ``dg`` around it.
        """
        import click

        try:
            self._write(request)
        except EtlError as error:
            raise click.ClickException(str(error)) from error

    def _write(self, request: ScaffoldRequest[PipelineParameters]) -> None:
        from etl_platform.core.names import to_identifier
        from etl_platform.generate.pipeline import Ask, existing_attributes, kind_of, plan

        given, place = request.params, request.target_path
        name = to_identifier(place.name)
        if name != place.name:
            raise ConfigError(f"{place.name!r} cannot be the name of a schema", fix=f"take {name}")
        ask = Ask(
            uri=given.uri,
            name=name,
            secret=given.secret or f"{name.upper()}_URL",
            existing=existing_attributes(place.parent, name),
            region=given.region,
            endpoint_url=given.endpoint_url,
        )
        source = kind_of(given.uri).describe(ask)
        planned = plan(place.parent, source)
        if planned.writes_over:
            raise ConfigError(
                f"files of {name} are there already",
                fix="etl add URI shows the difference and merges",
            )
        planned.apply(place.parent)
        self._tell([*source.told, *(f"set {s.reference}: {s.meaning}" for s in source.secrets)])

    @staticmethod
    def _tell(lines: list[str]) -> None:
        import click

        from etl_platform.core.inert import one_line

        for line in lines:
            click.echo(one_line(line), err=True)


@scaffold_with(PipelineScaffolder)
def pipeline() -> None:
    """The pipeline of a source, from its address: component, contract and staging models."""
