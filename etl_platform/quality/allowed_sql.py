"""What SQL in a contract may consist of; everything else is refused.

Nodes are named as sqlglot names its classes. Nothing here reads a file, the network, a setting, the
clock or chance, and no function makes much of little (``repeat``, ``range``).
"""

from __future__ import annotations

_CONDITION = """
Column Identifier Literal Boolean Null Paren Tuple Array Bracket Interval Var Alias
And Or Not Xor EQ NEQ NullSafeEQ NullSafeNEQ GT GTE LT LTE Is In Between Like ILike Glob
SimilarTo RegexpLike RegexpFullMatch Add Sub Mul Div IntDiv Mod Neg DPipe BitwiseAnd BitwiseOr
BitwiseXor BitwiseLeftShift BitwiseRightShift BitwiseNot Case If Cast TryCast DataType
DataTypeParam Extract JSONPath JSONPathRoot JSONPathKey JSONPathSubscript
"""
CONDITION_NODES = frozenset(_CONDITION.split())
"""Operators and literals of a scalar expression."""

_QUERY = """
Select From Join Table TableAlias Subquery CTE With Where Group Having Qualify Order Ordered
Limit Offset Distinct Star Union Except Intersect Exists Any All Window WindowSpec Filter Values
Count Sum Avg Min Max Median Stddev StddevSamp StddevPop Variance VariancePop CountIf AnyValue
ApproxDistinct RowNumber Rank DenseRank Lag Lead FirstValue LastValue PercentRank Ntile
Exclude
"""
QUERY_NODES = CONDITION_NODES | frozenset(_QUERY.split())
"""Clauses, aggregates and window functions of a SELECT."""

FUNCTION_NODES = {
    "Abs": "abs",
    "ArrayContains": "list_contains",
    "ArrayDistinct": "list_distinct",
    "ArrayMax": "list_max",
    "ArrayMin": "list_min",
    "ArraySize": "array_length",
    "Ascii": "ascii",
    "Ceil": "ceil",
    "Coalesce": "coalesce",
    "Concat": "concat",
    "ConcatWs": "concat_ws",
    "Contains": "contains",
    "DateDiff": "date_diff",
    "DateFromParts": "make_date",
    "Day": "day",
    "DayOfWeek": "dayofweek",
    "DayOfWeekIso": "isodow",
    "DayOfYear": "dayofyear",
    "EndsWith": "ends_with",
    "Exp": "exp",
    "Floor": "floor",
    "Greatest": "greatest",
    "Hour": "hour",
    "IsInf": "isinf",
    "IsNan": "isnan",
    "JSONExtract": "json_extract",
    "JSONExtractScalar": "json_extract_string",
    "LastDay": "last_day",
    "Least": "least",
    "Left": "left",
    "Length": "length",
    "Levenshtein": "levenshtein",
    "Ln": "ln",
    "Log": "log",
    "Lower": "lower",
    "Minute": "minute",
    "Month": "month",
    "Nullif": "nullif",
    "Pow": "power",
    "Quarter": "quarter",
    "RegexpExtract": "regexp_extract",
    "RegexpReplace": "regexp_replace",
    "Replace": "replace",
    "Reverse": "reverse",
    "Right": "right",
    "Round": "round",
    "Second": "second",
    "Sign": "sign",
    "SplitPart": "split_part",
    "Sqrt": "sqrt",
    "StartsWith": "starts_with",
    "StrPosition": "strpos",
    "Substring": "substring",
    "TimeToStr": "strftime",
    "TimeToUnix": "epoch",
    "TimestampTrunc": "date_trunc",
    "Translate": "translate",
    "Trim": "trim",
    "Trunc": "trunc",
    "Unicode": "unicode",
    "Upper": "upper",
    "Week": "week",
    "Year": "year",
}
"""What sqlglot calls a function, and what DuckDB does."""

_OTHER = (
    "bit_count cardinality date_part gcd isfinite json_valid lcm strip_accents strlen try_strptime"
)
OTHER_FUNCTIONS = frozenset(_OTHER.split())
"""Functions that sqlglot has no class for."""
