"""Ranges for exclusion constraints.

An equality in an exclusion constraint needs the extension btree_gist, which neither every managed PostgreSQL nor the embedded
one offers. A range that holds one single value overlaps another exactly if the values are equal, and needs no extension.
"""

from django.contrib.postgres.fields import RangeOperators
from django.db.models import F, Func, Value
from django.db.models.functions import Coalesce

OVERLAPS = RangeOperators.OVERLAPS
PERIOD = Func(F("starts_at"), F("ends_at"), function="tstzrange")


def same_number(field: str) -> Func:
    """Equal where the numbers of this column are; NULL equals NULL."""
    number = Coalesce(F(field), Value(0))
    return Func(number, number, Value("[]"), function="int8range")


def same_uuid(*fields: str) -> Func:
    """Equal where the UUIDs are that these columns have first; the type `uuidrange` comes with the first migration."""
    found = Coalesce(*(F(field) for field in fields)) if len(fields) > 1 else F(fields[0])
    return Func(found, found, Value("[]"), function="uuidrange")


def same_text(field: str) -> Func:
    """Equal where the texts of this column are; the type `textrange` comes with the migration that adds periods."""
    return Func(F(field), F(field), Value("[]"), function="textrange")
