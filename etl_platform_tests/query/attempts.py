"""Attempts at getting out of a query, or around a policy, all made as the role ``analyst``.

``REFUSED`` are turned away before anything is read. ``CONFINED`` may answer or fail: neither rows nor
message may hold a secret of :mod:`etl_platform_tests.query.shop`. Where an attempt has an answer
that would betray what is hidden by its size or truth, ``EXACT`` says the only right one.
``FILE`` stands for a file of the customers table, ``LAKE`` for the lake's folder.
"""

# ruff: noqa: E501 - one attempt, one line
from __future__ import annotations

FILES = [
    "from read_csv('/etc/passwd')", "from read_csv_auto('/etc/passwd')", "from sniff_csv('/etc/passwd')",
    "from read_text('/etc/passwd')", "from read_blob('FILE')", "from read_parquet('FILE')", "from parquet_scan('FILE')",
    "from parquet_metadata('FILE')", "from parquet_schema('FILE')", "from parquet_file_metadata('FILE')",
    "from parquet_kv_metadata('FILE')", "from parquet_bloom_probe('FILE', 'email', 'x')", "from parquet_full_metadata('FILE')",
    "from read_json('/etc/passwd')", "from read_json_auto('/etc/passwd')", "from read_json_objects('/etc/passwd')",
    "from read_ndjson('/etc/passwd')", "from read_ndjson_auto('/etc/passwd')", "from read_ndjson_objects('/etc/passwd')",
    "from read_duckdb('x.db')", "from glob('LAKE/**')", "from read_file_list('LAKE')", "from delta_scan('LAKE/hr/salaries')",
    "from iceberg_scan('LAKE')", "from sqlite_scan('x.db', 't')", "from postgres_scan('host=x', 'public', 't')",
    "from arrow_scan(1, 2, 3)", "from pandas_scan(1)", "from st_read('x')", "from read_xlsx('x')",
    "select read_text('/etc/passwd')", "select '/etc/passwd'.read_text()", "select content from (from read_text('/etc/passwd'))",
    "select * from shop.orders, lateral read_text('/etc/' || customer)", "select 1 where exists (from read_blob('/etc/passwd'))",
    "with f as (from read_csv('/etc/passwd')) from f", "select 1 union all by name from glob('*')",
    "from READ_PARQUET('FILE')", "from \"read_parquet\"('FILE')", "from main.read_parquet('FILE')", "from system.main.read_parquet('FILE')",
    "from read_parquet(['FILE'])", "from/**/read_parquet/**/('FILE')", "from read_parquet\n--\n('FILE')",
]  # fmt: skip
"""Every way of DuckDB to read a file by a call."""

REPLACEMENT_SCANS = [
    "from 'FILE'", "from \"FILE\"", "from '/etc/passwd'", "select * from 'LAKE/shop/customers/*.parquet'", "from 'x.csv'",
    "from 'data.json'", "from 'https://example.com/x.parquet'", "from 's3://bucket/x.parquet'", "table \"FILE\"",
    "select (select max(email) from 'FILE')", "from shop.orders join 'FILE' on true", "from lake", "from tool", "from frame",
    "from file.'FILE'", "with \"x\" as (select 1) from 'FILE'", "from ''", "from 'file:FILE'",
]  # fmt: skip
"""Names that DuckDB would take for files or Python variables."""

STATEMENTS = [
    "copy shop.orders to '/tmp/x.csv'", "copy (select 1) to '/dev/stdout'", "copy shop.orders from '/etc/passwd'", "export database '/tmp/x'",
    "import database '/tmp/x'", "attach '/tmp/x.db'", "attach ':memory:' as y", "detach memory", "use memory.shop", "install httpfs", "load httpfs",
    "load '/tmp/x.so'", "force install httpfs from 'http://x'", "update extensions", "set enable_external_access = true", "set allowed_paths = ['/']",
    "set lock_configuration = false", "set memory_limit = '1TB'", "set global threads = 99", "reset all", "pragma enable_profiling",
    "pragma database_list", "pragma table_info('shop.customers')", "call duckdb_views()", "call pragma_version()", "describe shop.customers",
    "summarize shop.customers", "show all tables", "show create table shop.customers", "explain select * from shop.customers",
    "explain analyze select * from shop.customers", "explain (format json) from shop.customers", "create table x as from shop.customers", "create temp view v as select 1",
    "create or replace view shop.customers as select 1", "create macro m() as 1", "create secret (type s3)", "drop view shop.customers",
    "alter view shop.customers rename to y", "insert into shop.orders values (1)", "delete from shop.orders", "update shop.orders set amount = 0",
    "truncate shop.orders", "merge into shop.orders using shop.customers on true when matched then delete", "comment on view shop.customers is 'x'",
    "begin", "checkpoint", "vacuum", "prepare p as select 1", "execute p", "set variable etl_mask_key = 'x'", "grant all to x", "kill 1",
]  # fmt: skip
"""Everything that is not a SELECT."""

HIDDEN_STATEMENTS = [
    "with x as (delete from shop.orders returning *) from x", "with x as (insert into shop.orders values (1) returning *) from x",
    "with x as (update shop.orders set amount = 1 returning *) from x", "select * from (with x as (delete from shop.orders returning *) from x)",
    "with x as (create table y as select 1) from x", "with x as (copy shop.orders to '/tmp/x') from x", "select * from (describe shop.customers)",
    "from (summarize shop.customers)", "from (show all tables)", "from (pragma version)", "select 1; select 2", "select 1; drop view shop.customers",
    "select 1;;copy shop.orders to '/tmp/x'", ";attach '/tmp/x.db'", "select 1 --\n; set threads = 1", "select 1 /* ; */ ; select 2",
    "/* select */ drop view shop.customers", "--\ndrop view shop.customers", "select 1 /*/**/*/; select 2", "select $$;$$; select 2",
    "select 'a\\'; drop view shop.customers; --'", "select E'a\\'; drop view shop.customers; --", "select U&'\\0027; select 2",
    "", ";", "--", "/*", "'", "select", "select 'x", "\x00", "select 1\x00; select 2", "select '\ud800'",
]  # fmt: skip
"""Statements inside others, several at once, comments and quotes that end early or never."""

LOOKING_AROUND = [
    "select getenv('HOME')", "select GETENV('PATH')", "select main.getenv('HOME')", "select system.main.getenv('HOME')", "select \"getenv\"('HOME')",
    "select 'HOME'.getenv()", "select list_transform(['HOME'], lambda x: getenv(x))", "select 1 from shop.orders order by getenv('HOME')",
    "select current_setting('allowed_paths')", "select current_setting('temp_directory')", "select getvariable('etl_mask_key')",
    "select 'etl_mask_key'.getvariable()", "from duckdb_variables()", "from duckdb_settings()", "from duckdb_secrets()", "from duckdb_views()",
    "from duckdb_views", "from duckdb_columns()", "from duckdb_columns", "from duckdb_tables", "from duckdb_functions()", "from duckdb_memory()",
    "from duckdb_temporary_files()", "from duckdb_logs", "from duckdb_log_contexts()", "from duckdb_external_file_cache()",
    "from sqlite_master", "select sql from sqlite_master", "from \"SQLite_Master\"", "from main.sqlite_master", "from system.main.sqlite_master",
    "from temp.sqlite_master", "from information_schema.views", "from information_schema.columns", "from memory.information_schema.views",
    "from pg_catalog.pg_views", "from pg_views", "from pg_class", "from pg_catalog.pg_attribute", "select pg_get_viewdef(1)",
    "select current_query()", "select stats(email) from shop.customers", "select vector_type(email) from shop.customers", "from query('select 1')",
    "from query_table('shop.customers')", "from query_table(['shop.customers'])", "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select json_serialize_sql('select 1')", "select json_serialize_plan('from shop.customers')", "from pragma_table_info('shop.customers')",
    "from pragma_storage_info('shop.customers')", "from pragma_show('shop.customers')", "from show_tables()", "from which_secret('x', 's3')",
    "from summary((from shop.customers))", "from histogram('shop.customers', 'score')", "from test_all_types()", "from enable_profiling()",
    "select write_log('x')", "select nextval('s')", "select setseed(0.5)", "select sleep_ms(10000)", "select pg_sleep(10)",
    "select __internal_decompress_string(1)", "from checkpoint()", "from force_checkpoint()", "select in_search_path('memory', 'shop')",
    "with sqlite_master as (from sqlite_master) from sqlite_master", "with a as (from sqlite_master), sqlite_master as (select 1) from a",
    "select (with sqlite_master as (select 1) select 1), * from sqlite_master", "from (with pg_views as (select 1) from pg_views), pg_views",
]  # fmt: skip
"""The process, the session, and DuckDB's catalogue, which holds the text of every policy's view."""

NAMES = [
    "from hr.salaries", "from HR.Salaries", "from \"hr\".\"salaries\"", "from memory.hr.salaries", "from hr . salaries", "from hr./**/salaries", "table hr.salaries",
    "select (select max(who) from hr.salaries)", "with s as (from hr.salaries) from s", "from shop.orders where exists (from hr.salaries)",
    "from shop.orders union all by name from hr.salaries", "from shop.orders o, lateral (from hr.salaries)", "with hr as (select 1) from hr.salaries",
    "select 1 order by (select max(amount) from hr.salaries)", "select 1 limit (select max(amount) from hr.salaries)",
    "select count(*) over (order by (select max(amount) from hr.salaries)) from shop.orders", "from (values ((select max(amount) from hr.salaries)))",
    "from (pivot hr.salaries on who in ('a') using sum(amount))", "from (unpivot hr.salaries on amount)", "from shop.orders semi join hr.salaries on true",
    "from shop.orders positional join hr.salaries", "from shop.customers__quarantine", "from platform.audit", "from hr.salaries tablesample 100%",
    "with recursive r as (from hr.salaries union all from r) from r", "select exists (from hr.salaries)", "select 1 in (select amount from hr.salaries)",
    "select array(select who from hr.salaries)", "from shop.orders where amount > all (select amount from hr.salaries)", "from hr.salaries at (version => 0)",
    "from shop.сustomers", "from shоp.orders", "from shop․orders", "ѕelect 1", "ｓｅｌｅｃｔ 1", "from ｒead_text('/etc/passwd')", "select ｇetenv('HOME')",
    "from shop.orders\u200b", "from hr\u00a0.\u00a0salaries", "from shop.orders\ufeff, hr.salaries", "from \"shop.orders\"", "from `shop`.`orders`", "from [hr].[salaries]",
]  # fmt: skip
"""Tables that are not the role's, under every name that they could have."""

COLUMNS = [
    "select card from shop.customers", "select CARD from shop.customers", "select \"card\" from shop.customers", "select c.card from shop.customers c",
    "select shop.customers.card from shop.customers", "select * from shop.customers where card like 'card%'", "select 1 from shop.customers order by card",
    "select count(*) from shop.customers group by card", "select * replace (card as id) from shop.customers", "select columns(['card']) from shop.customers",
    "select c.* exclude (id), c.card from shop.customers c", "from shop.customers join shop.orders on card = 'x'", "select filename from shop.customers",
    "select file_row_number from shop.customers", "select file_index from shop.customers", "select rowid from shop.customers", "select customers.rowid from shop.customers",
    "select c['card'] from shop.customers c", "select struct_extract(c, 'card') from shop.customers c", "select c.card.x from shop.customers c",
    "select \"masked email\" from shop.customers", "select visible from shop.customers", "from shop.customers using sample 10 where card is null",
]  # fmt: skip
"""Columns that the role's table does not have."""

REFUSED = [
    *FILES,
    *REPLACEMENT_SCANS,
    *STATEMENTS,
    *HIDDEN_STATEMENTS,
    *LOOKING_AROUND,
    *NAMES,
    *COLUMNS,
]

ERRORS_THAT_TELL = [
    "select * from shop.customers where score::int > 12", "select score::int as s from shop.customers", "select cast(name as int) as n from shop.customers",
    "select email::date as d from shop.customers", "select * from shop.customers where error(name)::bool", "select * from shop.customers where error(score)::bool",
    "select * from shop.customers where case when country <> 'DE' then error(score)::bool else true end", "select error(c::varchar) as e from shop.customers c",
    "select * from shop.customers where case when country is null then error(name)::bool else true end", "select strptime(score, '%Y') as s from shop.customers",
    "select json(score) as j from shop.customers", "select regexp_matches('x', email || '[') as m from shop.customers", "select chr(born) as c from shop.customers",
    "select c.id from shop.customers c join shop.orders o on o.customer = c.id and score::int > 12", "select list_sort([1], name) as l from shop.customers",
    "select * from shop.orders o left join shop.customers c on c.id = o.customer and error(c.score)::bool", "select assert_true(id < 3, score) as a from shop.customers",
    "select (select error(score) from shop.customers c where c.id = o.customer) as e from shop.orders o", "select 1 from shop.customers group by score having max(score::int) > 12",
    "select * from shop.customers qualify row_number() over (order by error(score)) = 1", "select score::int as s from shop.customers order by country limit 1",
    "select * from shop.customers where country <> 'DE' and score::int > 12", "select * from shop.customers where score::int > 12 and country <> 'DE'",
    "select * from shop.customers where id >= 4 and error(name)::bool", "select max(score::int) filter (country <> 'DE') as m from shop.customers",
    "select score::enum('11') as e from shop.customers", "select decode(score::blob || '\\xff'::blob) as d from shop.customers", "select repeat(score, 1)::int from shop.customers where id > 3",
    "select (phone || 'x')::int as p from shop.customers", "select born / (born - born) as d from shop.customers", "select map([name, name], [1, 2]) as m from shop.customers",
    "select name::uuid as u from shop.customers", "select email::inet as u from shop.customers", "select unnest(score::int[]) as u from shop.customers", "select make_date(born, born, 99) as d from shop.customers",
]  # fmt: skip
"""Failures whose text would hold what the row holds."""

MASKS = [
    "from shop.customers", "select * from shop.customers", "select c from shop.customers c", "select to_json(c) as j from shop.customers c", "select c::varchar as t from shop.customers c",
    "select columns('.*') from shop.customers", "select columns(* exclude id) from shop.customers", "select unnest(c) from shop.customers c", "select row(c.*) as r from shop.customers c",
    "select struct_pack(e := email) as s from shop.customers", "select email || '' as e from shop.customers", "select lower(name) || upper(phone) as e from shop.customers",
    "select left(email, 99) as e from shop.customers", "select reverse(reverse(name)) as e from shop.customers", "select min(email) as a, max(email) as b, any_value(name) as c from shop.customers",
    "select first(name) as f, last(name) as l, mode(name) as m from shop.customers", "select arg_max(email, id) as e, max_by(name, id) as n from shop.customers", "select list(email) as l from shop.customers",
    "select string_agg(name, ',') as s from shop.customers", "select histogram(name) as h from shop.customers", "select email, count(*) as n from shop.customers group by email", "select approx_top_k(name, 3) as k from shop.customers",
    "select distinct name from shop.customers", "select name from shop.customers order by email", "select lag(name) over (order by id) as l from shop.customers", "select first_value(email) over (order by email) as f from shop.customers",
    "select born + 0 as b from shop.customers", "select born * 1.0 as b, -(-born) as c from shop.customers", "select sum(born) as s, avg(born) as a, min(born) as m from shop.customers", "select quantile_cont(born, 0.5) as q from shop.customers",
    "select name from shop.customers union select email from shop.customers", "with c as (from shop.customers) select email from c", "with c as materialized (from shop.customers) select name from c", "select x.email from (select * from shop.customers) x",
    "select (select email from shop.customers where id = 1) as e", "select o.id, c.email from shop.orders o join shop.customers c on c.id = o.customer", "select l.name from shop.orders o, lateral (select name from shop.customers c where c.id = o.customer) l",
    "from (unpivot (select id, name, email from shop.customers) on name, email)", "from (pivot shop.customers on country in ('DE', 'FR') using max(email) group by id)", "select coalesce(phone, email, name) as c from shop.customers", "select email as card from shop.customers",
    "select case when email like 'a%' then name else email end as c from shop.customers", "select * from shop.customers using sample 100%", "select * from shop.customers tablesample reservoir(100)", "select * exclude (id) rename (email as mail) from shop.customers",
    "select encode(email)::varchar as e from shop.customers", "select try_cast(born as varchar) as b from shop.customers", "select md5(email) as m, hash(email) as h from shop.customers", "select array_agg(c) as a from shop.customers c", "select json_group_array(name) as j from shop.customers",
]  # fmt: skip
"""Every way to get at the values of masked columns."""

CONFINED = [*ERRORS_THAT_TELL, *MASKS]

EXACT: dict[str, object] = {
    # rows that are not there, whoever counts them
    "select count(*) as n from shop.customers": 3,
    "select count(*) as n from shop.customers where country <> 'DE' or country is null": 0,
    "select count(*) as n from shop.customers where true or country = 'FR'": 3,
    "select count(*) as n from shop.customers where not (country = 'DE')": 0,
    "select max(id) as n from shop.customers": 3,
    "select count(*) as n from (select * from shop.customers union select * from shop.customers)": 3,
    "select count(*) as n from shop.customers a full join shop.customers b on a.id = b.id": 3,
    "select count(*) as n from shop.orders o left join shop.customers c on c.id = o.customer where c.id is null": 2,
    "select count(*) as n from shop.orders o anti join shop.customers c on c.id = o.customer": 2,
    "select count(*) as n from shop.orders o right join shop.customers c on c.id = o.customer": 3,
    "select count(*) as n from shop.orders where customer in (select id from shop.customers)": 2,
    "select count(*) as n from shop.orders o where exists (from shop.customers c where c.id = o.customer and c.country = 'FR')": 0,
    "select sum(o.amount) as n from shop.orders o, lateral (select * from shop.customers c where c.id = o.customer) l": 12.5,
    "select max(n) as n from (select count(*) over () as n from shop.customers)": 3,
    "select max(r) as n from (select row_number() over (order by id desc) as r from shop.customers)": 3,
    "select count(distinct country) as n from shop.customers": 1,
    "select count(*) filter (country = 'FR') as n from shop.customers": 0,
    "select count(*) as n from (from shop.customers group by all having count(*) > 0 or country = 'FR')": 3,
    "with shop as (select 1), c as (from shop.customers) select count(*) as n from c": 3,
    "with recursive r as (select id from shop.customers union select id + 1 from r where id + 1 in (select id from shop.customers)) select count(*) as n from r": 3,
    "select count(*) as n from shop.customers c positional join shop.orders o where c.id is null": 1,
    "select count(*) as n from shop.orders asof join shop.customers on orders.customer >= customers.id where customers.id > 3": 0,
    "select coalesce((select 1 from shop.customers where id = 4), 0) as n": 0,
    "select count(*) as n from shop.customers where case when country = 'FR' then 1 / 0 = 1 else true end": 3,
    "select count(*) as n from shop.customers where id = 4 or name like 'X%' or score = 'secretscore'": 0,
    "select length(max(score)) as n from shop.customers": 2,
    "select count(*) as n from (select country from shop.customers union all select country from shop.customers) where country is distinct from 'DE'": 0,
    "select count(*) as n from shop.customers except all select 3": None,
    # what a masked column is, whoever compares it
    "select count(*) as n from shop.customers where email = 'annegret@post.example'": 0,
    "select count(*) as n from shop.customers where email = sha256('annegret@post.example')": 0,
    "select count(*) as n from shop.customers where email in (select sha256(u || '@post.example') from (values ('annegret'), ('bernadette')) v(u))": 0,
    "select count(*) as n from shop.customers where email like '%post%' or email similar to '.*@.*'": 0,
    "select count(*) as n from shop.customers where name > 'An' and name < 'Ao'": 0,
    "select count(*) as n from shop.customers where name ilike 'anne%' or contains(name, 'egret')": 0,
    "select count(*) as n from shop.customers where length(name) <> 4": 0,
    "select count(*) as n from shop.customers where born between 19700101 and 19700101": 0,
    "select count(*) as n from shop.customers where born % 2 = 1 or born > 0 or born is not null": 0,
    "select count(born) + count(phone) as n from shop.customers": 0,
    "select count(*) as n from shop.customers where regexp_matches(email, 'annegret|example')": 0,
    "select count(*) as n from shop.customers a join (values ('0049111')) v(p) on a.phone = v.p": 0,
    "select count(*) as n from shop.customers where starts_with(phone, '0')": 0,
    "select count(*) as n from shop.customers where levenshtein(name, 'Annegret') < 3": 0,
    "select max(bit_length(born::varchar)) as n from shop.customers": None,
    "select list(id order by name desc, id)[1] as n from shop.customers where born is null": 3,
}  # fmt: skip
"""Attempts whose answer would tell; the value is the only cell of the answer (None: null or no row)."""

EXHAUSTION = [
    "select count(*) as n from range(1000000) a, range(1000000) b, range(1000000) c", "with recursive r as (select 1 as n union all select n + 1 from r) select max(n) as n from r",
    "with recursive r as (select 1 as n union all select n + 1 from r) from r", "select repeat('x', 4000000000) as r", "select list(r) as l from (select repeat('x', 1000) || range as r from range(10000000))",
    "select max(md5(repeat('x', 100000) || range)) as m from range(100000000)", "select count(*) as n from (select distinct range from range(10000000000))", "select * from range(100000001)",
    "select * from range(100000000) order by hash(range)", "select list_transform(range(1000000000), lambda x: x) as l", "select unnest(range(10000000000)) as u",
    "select sum(a.range) over (order by b.range) as s from range(100000) a, range(100000) b", "select string_agg(repeat('x', 1000000), '') as s from range(100000)",
    "select count(*) as n from shop.orders a, shop.orders b, range(10000000000)", "select bar(1, 0, 1, 1000000000) as b", "select rpad('x', 2000000000, 'y') as r", "select factorial(33)::varchar || repeat(repeat('x', 100000), 100000) as f",
]  # fmt: skip
"""Queries without end, or larger than anything."""

BOMBS = {
    "sums": "select 1" + "+1" * 50_000, "negations": "select " + "not " * 20_000 + "true", "conditions": "select true" + " and true" * 50_000,
    "parentheses": "select " + "(" * 10_000 + "1" + ")" * 10_000, "subqueries": "select * from " + "(select * from " * 5_000 + "t" + ")" * 5_000,
    "lists": "select " + "[" * 20_000 + "]" * 20_000, "casts": "select 1" + "::int" * 20_000, "cases": "select " + "case when true then " * 10_000 + "1" + " end" * 10_000,
    "joins": "select 1 from t" + " join t on true" * 10_000, "calls": "select " + "abs(" * 9_000 + "1" + ")" * 9_000, "length": "select '" + "x" * 250_001 + "'",
}  # fmt: skip
"""Texts that are too deep or too long to be understood, by what they are made of."""
