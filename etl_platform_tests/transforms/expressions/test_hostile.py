# ruff: noqa: E501 - one case, one line
"""What an expression may not do is refused when definitions load, before anything runs."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.transforms.expressions import Macro, Variable, expression

COLUMNS = {
    "a": "INTEGER",
    "name": "VARCHAR",
    "tags": "VARCHAR[]",
    "s": "STRUCT(x INTEGER, inner_ STRUCT(y DATE))",
    "at": "TIMESTAMP",
}
HUGE = "0" * 9

HOSTILE = [
    # files, network, settings, catalogue
    ("read_text('/etc/passwd')", "reads files"),
    ("read_blob('/etc/shadow')", "reads files"),
    ("read_csv('/etc/passwd')", "reads files"),
    ("'/etc/passwd'.read_text()", "attribute or method"),
    ("system.main.read_text('x')", "attribute or method|reads files"),
    ("\"read_text\"('x')", "reads files"),
    ("list_transform(tags, lambda f: read_text(f))", "reads files"),
    ("glob('/**')", "reads files"),
    ("http_get('http://169.254.169.254/')", "reads files"),
    ("getenv('AWS_SECRET_ACCESS_KEY')", "reaches outside"),
    ("current_setting('s3_secret_access_key')", "reaches outside|tells of the session"),
    ("getvariable('x')", "reaches outside|tells of the session"),
    ("nextval('s')", "reaches outside"),
    ("pg_get_viewdef('x')", "reads files"),
    ("duckdb_secrets()", "reads files"),
    ("which_secret('s3://b', 's3')", "reads files"),
    ("version()", "tells of the session"),
    ("current_user", "tells of the session"),
    ("a::regclass", "unknown type 'regclass'"),
    # other statements, and queries inside
    ("(SELECT 1)", "more than an expression"),
    ("a IN (SELECT a FROM shop.secrets)", "may not read other tables"),
    ("EXISTS (SELECT 1 FROM shop.secrets)", "may not read other tables"),
    ("CASE WHEN a = 1 THEN (SELECT max(x) FROM t) END", "may not read other tables"),
    ("list_transform(tags, lambda x: (SELECT 1))", "may not read other tables"),
    ("a FROM shop.secrets", "not an expression"),
    ("a) FROM read_csv('x') --", "closes a parenthesis"),
    ("a; DROP TABLE shop.orders", "more than one statement"),
    ("a, (SELECT 1)", "more than an expression"),
    ("SELECT a", "more than an expression"),
    ("VALUES (1)", "more than an expression"),
    ("ATTACH 'other.db'", "not an expression"),
    ("COPY t TO 'stolen.csv'", "not an expression"),
    ("INSTALL httpfs", "not an expression"),
    ("query('DROP TABLE x')", "runs a text as SQL"),
    ("json_serialize_sql('SELECT 1')", "reaches outside"),
    ("a AS admin", "not allowed in an expression"),
    # Python, templates, attributes
    ("''.__class__.__mro__", "attribute"),
    ("name.__class__", "attribute"),
    ("name.upper()", "attribute or method"),
    ("a.real", "has no attribute 'real'"),
    ("__import__('os').system('ls')", "attribute or method"),
    ("import os", "not allowed in an expression"),
    ("eval('1')", "runs a text as SQL"),
    ("lambda: 1", "not allowed in an expression"),
    ("[x for x in tags]", "not allowed in an expression"),
    ("{{ env.HOME }}", "template"),
    ("{% for x in y %}", "template"),
    ("${HOME}", "template"),
    ("$$a$$ || 'b'", "not allowed in an expression"),
    ("a || '\x00'", "control character"),
    # any column, or none
    ("*", "name the columns"),
    ("s.*", "name the columns"),
    ("COLUMNS('.*')", "COLUMNS|not allowed"),
    ("#1", "not allowed in an expression"),
    ("?", "unknown variable"),
    ("$1", "unknown variable '1'"),
    ("$secret", "unknown variable 'secret'"),
    # another value in every run
    ("now()", "the clock"),
    ("CURRENT_TIMESTAMP", "the clock"),
    ("today() - 1", "the clock"),
    ("age(at)", "asks the clock"),
    ("random()", "another value in every run"),
    ("gen_random_uuid()", "another value in every run"),
    # memory and time
    ("repeat('x', 1e12)", "value of any size"),
    (f"repeat('x', 1{HUGE})", "value of any size"),
    ("repeat('x', a)", "value of any size"),
    ("repeat('x', 1000 * 1000)", "value of any size"),
    ("repeat('x', '999999999'::INT)", "value of any size"),
    ("repeat('x', -(-1e9))", "value of any size"),
    ("repeat(repeat(repeat('x', 9999), 9999), 9999)", "value of any size"),
    ("regexp_replace(repeat('a', 9999), 'a', repeat('b', 9999), 'g')", "value of any size"),
    ("list_transform(str_split(repeat('a,', 9999), ','), lambda x: repeat(x, 9999))", "value of any size"),
    ("repeat('x', $big)", "value of any size"),
    ("grow(grow(grow(grow(a))))", "becomes too large"),
    ("forever(a)", "calls itself"),
    (f"lpad(name, 2{HUGE}, 'y')", "value of any size"),
    (f"list_resize(tags, 1{HUGE})", "value of any size"),
    ("range(1000000000000)", "a list of any length"),
    (f"generate_series(1, 1{HUGE})", "a list of any length"),
    ("unnest(tags)", "a list of any length"),
    (f"format('{{:>1{HUGE}}}', name)", "far larger than its arguments"),
    (f"printf('%1{HUGE}d', a)", "far larger than its arguments"),
    (f"bitstring('1', 1{HUGE})", "far larger than its arguments"),
    ("list_reduce(tags, lambda x, y: x || y || x || y)", "far larger than its arguments"),
    ("list_aggregate(tags, 'read_text')", "unknown aggregate"),
    ("list_aggregate(tags, name)", "needs the name of an aggregate"),
    ("sleep_ms(1000000)", "reaches outside"),
    ("error('stop')", "stops the run"),
    ("(" * 300 + "a" + ")" * 300, "nested|too large"),
    ("NOT " * 900 + "true", "nested too deeply|too large"),
    ("+".join("a" * 1999), "too large"),
    ("a" * 5000, "5,000 characters"),
    # rows where one is meant
    ("sum(a)", "computed from many rows"),
    ("row_number() OVER ()", "window function is not allowed"),
    ("rank()", "needs rows in an order"),
    ("", "is empty"),
    ("-- a", "more than an expression"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), HOSTILE, ids=[text[:40] for text, _ in HOSTILE])
def test_a_hostile_expression_is_refused_with_the_place_and_the_reason(
    text: str, reason: str
) -> None:
    macros = {
        name: Macro.parse(f"{name}(x)", body, where="defs.yaml:3")
        for name, body in (("grow", "+".join(["x"] * 60)), ("forever", "forever(x) + 1"))
    }
    with pytest.raises(PermanentError, match=reason) as refused:
        expression(
            text,
            COLUMNS,
            where="defs.yaml:7: derive",
            variables={"big": Variable("big", 10**9)},
            macros=macros,
        )
    assert refused.value.what.startswith("defs.yaml:7: derive: ")
    assert len(str(refused.value)) < 900


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("__class__", 1, "no usable name"),
        ("a b", 1, "no usable name"),
        ("x'; DROP TABLE t; --", 1, "no usable name"),
        ("x", ["a"] * 3, "is a list"),
        ("x", {"type": "DATE", "value": "2024-02-30"}, "not of the type DATE"),
        ("x", {"type": "INTEGER", "value": "1; DROP TABLE t"}, "not of the type INTEGER"),
        ("x", {"type": "INTEGER) FROM t --", "value": 1}, "unknown type"),
        ("x", {"type": "regclass", "value": "t"}, "unknown type 'regclass'"),
        ("x", {"type": "ENUM('a')", "value": "a"}, "unknown type"),
        ("x", {"type": "DATE"}, "type and value belong together"),
        ("x", {"tipe": "DATE", "value": 1}, "unknown part of a variable 'tipe'"),
        ("x", {"__import__": "os"}, "unknown part of a variable"),
        ("x", "a" * 10_001, "10,001 characters"),
        ("x", 10**40, "too large a number"),
        ("x", "a\x00b", "control character"),
    ],
)
def test_a_hostile_variable_is_refused(name: str, value: object, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason) as refused:
        Variable.parse(name, value, where="defs.yaml:4")
    assert str(refused.value).startswith("defs.yaml:4: ")


def test_a_variable_stays_a_value_whatever_it_holds() -> None:
    hostile = "' || read_text('/etc/passwd') || '"
    tree = expression(
        "name = $x", COLUMNS, where="f:1", variables={"x": Variable.parse("x", hostile, where="f")}
    )
    assert tree.sql("duckdb") == "name = ''' || read_text(''/etc/passwd'') || '''"


@pytest.mark.parametrize(
    ("signature", "body", "reason"),
    [
        ("f(x", "x", "no signature"),
        ("f(x); DROP TABLE t", "x", "no signature"),
        ("__f__.g(x)", "x", "no signature"),
        ("f(x, x)", "x", "argument twice"),
        ("f(x)", "read_text(x)", "reads files"),
        ("f(x)", "(SELECT x)", "more than an expression"),
        ("f(x)", "x) FROM t --", "closes a parenthesis"),
        ("f(x)", "secret", "unknown column 'secret'"),
        ("f(x, y)", "x", "takes 2 arguments, got 1"),
    ],
)
def test_a_hostile_macro_is_refused(signature: str, body: str, reason: str) -> None:
    def use() -> None:
        macro = Macro.parse(signature, body, where="f:1")
        expression("f(a)", COLUMNS, where="f:2", macros={macro.name: macro})

    with pytest.raises(PermanentError, match=reason):
        use()
