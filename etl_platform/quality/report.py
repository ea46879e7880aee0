"""The validation report: every rule of one audit, as a page that needs no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from etl_platform.core.objects import ObjectStore
from etl_platform.quality.outcome import Audit, Outcome

if TYPE_CHECKING:
    import jinja2

FOLDER = "_validation"
_KEPT = 50
_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Validation of {{ audit.table }}</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;
max-width:72rem;padding:0 1rem;color:#1c1e21}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}
.failed{color:#b3261e}.passed{color:#146c2e}.not_run,.warned{color:#8a5a00}
table{border-collapse:collapse;margin:.4rem 0;display:block;overflow-x:auto}
th,td{border:1px solid #d5d8dc;padding:.2rem .5rem;text-align:left;white-space:nowrap}
th{background:#f4f5f7}pre{background:#f4f5f7;padding:.6rem;overflow-x:auto}
.meta{color:#5b6068}
</style></head><body>
<h1>Validation of {{ audit.table }}</h1>
<p class="meta">{{ moment.strftime('%Y-%m-%d %H:%M:%S') }} UTC
{%- if partition %}, partition {{ partition }}{% endif %}
{%- if run_id %}, run {{ run_id }}{% endif %},
{{ '{:,}'.format(audit.profile.rows) }} rows, {{ '%.2f' % audit.seconds }} s.
{% if audit.blocking %}<strong class="failed">Nothing was published.</strong>
{% else %}The contract let the batch through.{% endif %}</p>
<table><tr><th>rule</th><th>outcome</th><th>bad rows</th><th>share</th><th>action</th></tr>
{% for one in audit.outcomes %}<tr><td><a href="#{{ one.rule.name }}">{{ one.rule.name }}</a></td>
<td class="{{ css(one) }}">{{ word(one) }}</td><td>{{ '{:,}'.format(one.failed_rows) }}</td>
<td>{{ '{:.3%}'.format(one.share) }}</td><td>{{ one.rule.action }}</td></tr>
{% endfor %}</table>
{% for one in audit.outcomes %}
<h2 id="{{ one.rule.name }}">{{ one.rule.name }}
<span class="{{ css(one) }}">{{ word(one) }}</span></h2>
<p>{{ one.rule.description }}{% if one.reason %}<br>{{ one.reason }}{% endif %}</p>
{% if one.sample %}<table><tr>{% for name in one.sample[0] %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in one.sample %}<tr>{% for value in row.values() -%}
<td>{{ 'null' if value is none else value }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endif %}
{% if one.lake_sql %}<pre>{{ one.lake_sql }}</pre>{% endif %}
{% endfor %}
</body></html>
"""


def report_html(
    audit: Audit, moment: datetime, run_id: str | None = None, partition: str | None = None
) -> str:
    """The page: a table of all rules, then each with its reason, sample (masked) and SQL.

    Everything that comes from data, contract or run is escaped; the page holds no script and its
    policy forbids loading anything.
    """
    return _template().render(
        audit=audit,
        moment=moment,
        run_id=run_id,
        partition=partition,
        word=_word,
        css=lambda one: one.status if one.rule.severity == "error" else _softer(one),
    )


def write_report(
    store: ObjectStore,
    audit: Audit,
    *,
    run_id: str | None = None,
    partition: Mapping[str, object] | None = None,
    moment: datetime | None = None,
) -> str | None:
    """Write the page to ``_validation`` beside the table's data; the newest 50 are kept.

    Args:
        store: the lake's.

    Returns:
        Where it is; None for a contract without rules.

    Raises:
        OSError: the lake's folder cannot be written to.
        StoreUnavailable: its bucket does not answer.
    """
    if not audit.outcomes:
        return None
    now = moment or datetime.now(UTC)
    place = ", ".join(f"{column}={value}" for column, value in (partition or {}).items())
    suffix = re.sub("[^A-Za-z0-9]", "", run_id or "")[:8]
    folder = f"{audit.table.path}/{FOLDER}/"
    name = f"{now:%Y%m%dT%H%M%S%f}{'-' if suffix else ''}{suffix}.html"
    store.put(folder + name, report_html(audit, now, run_id, place or None).encode())
    store.delete([page.key for page in store.list(folder)][:-_KEPT])
    return f"{store.uri}/{folder}{name}"


def _word(outcome: Outcome) -> str:
    if outcome.status == "passed" and outcome.failed_rows:
        return "passed (within tolerance)"
    return outcome.status.replace("_", " ")


def _softer(outcome: Outcome) -> str:
    return "warned" if outcome.status == "failed" else outcome.status


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_TEMPLATE)
