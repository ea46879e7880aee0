"""What an expression may consist of: the kinds of nodes and the functions, each list closed.

Whatever is not named here is refused, so that a function or syntax which DuckDB gets tomorrow is
not open by accident. The functions compute from their arguments: none reads files, the network,
settings, the catalogue or the clock, and none makes more of its arguments than they are, but for
those in ``SIZED``.
"""

from __future__ import annotations

import re

from sqlglot import exp

from etl_platform.planner.functions import SCALAR_FUNCTIONS_REFUSED, TABLE_FUNCTIONS

NODES: tuple[type[exp.Expr], ...] = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Paren,
    exp.Unary,
    exp.Binary,
    exp.Between,
    exp.In,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.TryCast,
    exp.DataType,
    exp.DataTypeParam,
    exp.ColumnDef,
    exp.Interval,
    exp.Var,
    exp.Array,
    exp.Struct,
    exp.PropertyEQ,
    exp.Bracket,
    exp.Slice,
    exp.Tuple,
    exp.AtTimeZone,
    exp.Lambda,
    exp.Ordered,
    exp.Order,
    exp.Distinct,
    exp.Window,
    exp.WindowSpec,
    exp.Filter,
    exp.Where,
    exp.WithinGroup,
    exp.IgnoreNulls,
    exp.RespectNulls,
    exp.Star,
    exp.JSONPath,
    exp.JSONPathPart,
    exp.Func,
)

SIZED = frozenset({"repeat", "lpad", "rpad", "list_resize", "array_resize"})
"""Functions that make a value as long as a number says: the number has to stand in the text."""
LARGEST = 10_000
"""The largest such number, and the largest product of all of one expression."""

_MATHS = """abs acos acosh asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot
degrees divide even exp fdiv floor fmod gcd greatest greatest_common_divisor isfinite isinf isnan
lcm least least_common_multiple ln log log10 log2 mod multiply pi pow power radians round round_even
roundbankers sign signbit sin sinh sqrt subtract add tan tanh trunc xor factorial"""
_TEXT = """ascii bit_length char_length character_length chr concat concat_ws contains
damerau_levenshtein ends_with hamming instr jaccard jaro_similarity jaro_winkler_similarity lcase
left left_grapheme len length length_grapheme levenshtein lower lpad ltrim mismatches nfc_normalize
octet_length ord position prefix regexp_escape regexp_extract regexp_extract_all regexp_full_match
regexp_matches regexp_replace regexp_split_to_array repeat replace reverse right right_grapheme rpad
rtrim split split_part starts_with str_split str_split_regex string_split string_split_regex
string_to_array strip_accents strlen strpos str_position substr substring substring_grapheme suffix
translate trim ucase unicode upper url_decode url_encode format_bytes parse_filename parse_path
parse_dirname parse_dirpath"""
_BYTES = (
    """base64 decode encode from_base64 from_hex hex md5 sha1 sha256 to_base64 to_hex unhex hash"""
)
_TIME = """age century date date_add date_diff date_part date_sub date_trunc datediff datepart
datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms
epoch_ns epoch_us era extract hour isodow isoyear julian last_day make_date make_time make_timestamp
make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond minute month
monthname nanosecond quarter second strftime strptime time_bucket timezone timezone_hour
timezone_minute to_days to_hours to_microseconds to_milliseconds to_minutes to_months to_quarters
to_seconds to_timestamp to_weeks to_years try_strptime week weekday weekofyear year yearweek
timestamp_trunc date_bin ts_or_ds_to_date str_to_time time_to_str"""
_LISTS = """array_agg array_contains array_distinct array_extract array_filter array_length
array_slice array_sort array_to_string array_transform array_value cardinality element_at filter
flatten list list_aggregate list_append list_avg list_concat list_contains list_count list_distinct
list_element list_extract list_filter list_first list_has list_has_all list_has_any list_indexof
list_intersect list_last list_max list_median list_min list_position list_prepend list_reverse
list_reverse_sort list_slice list_sort list_sum list_transform list_unique list_value list_where
list_zip list_resize array_resize map map_contains map_entries map_extract map_extract_value
map_from_entries map_keys map_values row struct_concat struct_extract struct_insert struct_keys
struct_pack struct_update struct_values"""
_JSON = """json json_array json_array_length json_contains json_exists json_extract
json_extract_path json_extract_path_text json_extract_string json_extract_scalar json_keys
json_merge_patch json_object json_type json_valid json_value to_json from_json array_to_json
row_to_json"""
_CHOICE = """coalesce if ifnull nullif case try typeof constant_or_null"""
_AGGREGATES = """any_value approx_count_distinct approx_distinct approx_quantile arg_max arg_min
argmax argmin avg bit_and bit_or bit_xor bool_and bool_or logical_and logical_or corr count count_if
count_star countif covar_pop covar_samp entropy favg first fsum geomean geometric_mean group_concat
histogram kurtosis last listagg mad max max_by mean median min min_by mode product quantile
quantile_cont quantile_disc percentile_cont percentile_disc regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope sem skewness stddev stddev_pop stddev_samp string_agg sum sumkahan
kahan_sum var_pop var_samp variance variance_pop weighted_avg wavg"""
_WINDOWS = """cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank
rank row_number"""


def _names(*lists: str) -> frozenset[str]:
    return frozenset(name for text in lists for name in text.split())


FUNCTIONS = _names(_MATHS, _TEXT, _BYTES, _TIME, _LISTS, _JSON, _CHOICE, _AGGREGATES, _WINDOWS) | {
    "cast",
    "try_cast",
    "and",
    "or",
}
AGGREGATES = _names(_AGGREGATES)
WINDOWS = _names(_WINDOWS)

_CLOCK = """now today current_date current_time current_timestamp get_current_timestamp
get_current_time transaction_timestamp localtime localtimestamp current_localtime
current_localtimestamp ago"""
_CHANCE = """random uuid uuidv4 uuidv7 gen_random_uuid setseed"""
_SESSION = """current_user user session_user current_role current_database current_catalog
current_schema current_schemas version current_setting getvariable"""
_READERS = re.compile(
    r"(read_|parquet_|sniff_|duckdb_|pragma_|pg_|sqlite_|has_|http).*|glob|query|query_table|exists"
    r"|columns|eval|exec|open|system|which_secret|file_exists|copy_to|load|install"
)
_WHY = {
    **dict.fromkeys(SCALAR_FUNCTIONS_REFUSED, "it reaches outside of the row that it computes"),
    **dict.fromkeys(TABLE_FUNCTIONS | _names("generate_subscripts"), "it makes rows, or a list of "
    "any length: use a step"),
    **dict.fromkeys(_names(_CLOCK), "the clock says something else in every run: pass a variable"),
    **dict.fromkeys(_names(_CHANCE), "it is another value in every run: use a sample step, or "
    "hash() of a key"),
    **dict.fromkeys(_names(_SESSION), "it tells of the session, not of the row"),
    **dict.fromkeys(
        _names("format printf bitstring set_bit bin to_binary list_reduce array_cross_product"),
        "its result may be far larger than its arguments",
    ),
    **dict.fromkeys(_names("error assert_true"), "it stops the run: use a rule of the contract"),
}  # fmt: skip


def why_refused(name: str) -> str | None:
    """Why a function is none of an expression's; None for one that nobody knows."""
    if name.startswith("__"):
        return "names with two underscores are internal"
    if _READERS.fullmatch(name):
        return "it reads files, tables, the network or the engine, or runs a text as SQL"
    return _WHY.get(name)
