"""Fields: the type of each source column, its limits, and refusals of rows that break them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare.columns import LINEAGE
from features.silver import values
from features.silver.raw import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyspark.sql import Column, DataFrame

REFUSAL = "refusal"  # struct<rule, reason, since>; null for a valid row
RULE = "rule"
REASON = "reason"
SINCE = "since"  # ingestion time of the newer row that supersedes this one; else null


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The parser of a value.

    Attributes:
        read: Parses text; null if the text is not such a value.
        type: Its type in silver.
        rule: Name of the rule that unparsable text breaks.
        what: Noun phrase for the reason of a refusal.
    """

    read: Callable[[Column], Column]
    type: str
    rule: str
    what: str


TEXT = Kind(read=lambda text: text, type="string", rule="wrong_type", what="text")
WHOLE = Kind(read=values.whole, type="int", rule="wrong_type", what="a whole number")
NUMBER = Kind(read=values.number, type="double", rule="wrong_type", what="a number")
INSTANT = Kind(
    read=values.instant,
    type="timestamp",
    rule="wrong_type",
    what="an instant such as 2013-01-01T10:00:00Z",
)
CLOCK = Kind(
    read=values.clock,
    type="int",
    rule="impossible_clock",
    what="a clock time (0000 to 2359, or 2400 for midnight)",
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of a source file.

    Attributes:
        raw: Its name there.
        name: Its name in silver, or of an intermediate column.
        kind: How its values are parsed.
        required: Whether a row without it is refused.
        minimum: The least possible value.
        maximum: The greatest possible value.
    """

    raw: str
    name: str
    kind: Kind = TEXT
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None


def with_fields(bronze: DataFrame, fields: Sequence[Field]) -> DataFrame:
    """Return the typed fields, the lineage and the refusal of each row.

    Grain: as bronze. A missing or unparsable value is null. The refusal names the first field, in
    their order, that is not valid; null if there is none.
    """
    texts = bronze.select(
        *(values.text(F.col(field.raw)).alias(_text(field)) for field in fields),
        UNREADABLE,
        *LINEAGE,
    )
    typed = texts.withColumns({field.name: _typed(field) for field in fields})
    reasons = [_unreadable(len(fields)), *(_refusal_for(field) for field in fields)]
    return typed.select(
        *(field.name for field in fields), *LINEAGE, F.coalesce(*reasons).alias(REFUSAL)
    )


def with_rule(frame: DataFrame, rule: str, broken: Column, *reason: Column | str) -> DataFrame:
    """Return the frame with a refusal for each row that breaks a rule and has none yet.

    Args:
        frame: Rows with a refusal.
        rule: Name of the rule.
        broken: Whether a row breaks it; null counts as false.
        reason: The parts of a sentence with column and value; text or columns.
    """
    refusal = F.coalesce(F.col(REFUSAL), F.when(broken, refusal_of(rule, *reason)))
    return frame.withColumn(REFUSAL, refusal)


def refusal_of(rule: str, *reason: Column | str, since: Column | None = None) -> Column:
    """Return a refusal from the name of its rule and the parts of its reason.

    Args:
        rule: Name of the rule.
        reason: The parts of a sentence; text or columns.
        since: Ingestion time of the row that supersedes the refused one.
    """
    parts = [F.lit(part) if isinstance(part, str) else part.cast("string") for part in reason]
    at = F.lit(None).cast("timestamp") if since is None else since
    return F.struct(F.lit(rule).alias(RULE), F.concat_ws("", *parts).alias(REASON), at.alias(SINCE))


def _text(field: Field) -> str:
    return f"text of {field.name}"


def _typed(field: Field) -> Column:
    return field.kind.read(F.col(_text(field))).cast(field.kind.type)


def _unreadable(count: int) -> Column:
    reason = f"The line is not a row of {count} values."
    return F.when(F.col(UNREADABLE).isNotNull(), refusal_of(UNREADABLE, reason))


def _refusal_for(field: Field) -> Column:
    text, value = F.col(_text(field)), F.col(field.name)
    missing = refusal_of("missing_value", f"{field.raw} is missing.") if field.required else None
    not_one = refusal_of(
        field.kind.rule, f"{field.raw} is '", text, f"', which is not {field.kind.what}."
    )
    refusal = F.when(text.isNull(), missing).when(value.isNull(), not_one)
    if field.minimum is not None and field.maximum is not None:
        limits = f", outside {field.minimum:g} to {field.maximum:g}."
        outside = refusal_of("impossible_value", f"{field.raw} is ", text, limits)
        refusal = refusal.when(~value.between(field.minimum, field.maximum), outside)
    return refusal
