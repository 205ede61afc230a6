"""What one cell of a FOCUS file has to keep, and the names of everything that can be wrong with a file. Pure."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.focus.columns import CUSTOM, SKU_PRICE_DETAILS, Column, Kind
from billing.focus.vocabulary import CURRENCIES

Broken = tuple["Rule", str, str]
"""The rule that is broken, in which column, and how."""


class Rule(StrEnum):
    """What can be wrong."""

    COLUMNS = "columns"
    CELLS = "cells"
    NULL = "null"
    NULL_WORD = "null-word"
    NUMBER = "number"
    NEGATIVE_PRICE = "negative-price"
    MOMENT = "moment"
    CURRENCY = "currency"
    CHOICE = "choice"
    PAIRS = "pairs"
    PAIRS_PREFIX = "pairs-prefix"
    CATEGORY_NULL = "category-null"
    UNIT = "unit"
    COST = "cost"
    EFFECTIVE_COST = "effective-cost"
    FREQUENCY = "frequency"
    SUBCATEGORY = "subcategory"
    ORDER = "order"
    OUTSIDE_PERIOD = "outside-period"
    REVERSAL = "reversal"
    RESOURCE_NAME = "resource-name"
    DUPLICATE = "duplicate"
    SERVICE = "service"
    SKU_PRICE = "sku-price"
    INVOICE_CURRENCY = "invoice-currency"
    INVOICE_SUM = "invoice-sum"


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(E-?[0-9]+)?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_NULL_WORDS = frozenset({"null", "none", "n/a", "na", "nan", "-"})


def number(text: str) -> Decimal | None:
    """Read a number as FOCUS writes it; None for anything else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def cell(column: Column, text: str) -> Iterator[Broken]:
    """Judge one cell by its column alone."""
    if not text:
        if column.required:
            yield Rule.NULL, column.name, "is null"
    elif column.kind is not Kind.TEXT:
        yield from _FORMATS[column.kind](column.name, text)
    elif text.lower() in _NULL_WORDS:
        yield Rule.NULL_WORD, column.name, f"has a word for null: {text}"
    elif column.choices and text not in column.choices:
        yield Rule.CHOICE, column.name, f"is no value of this column: {text}"


def _number(name: str, text: str) -> Iterator[Broken]:
    if number(text) is None:
        yield Rule.NUMBER, name, f"is no number as FOCUS writes it: {text}"


def _price(name: str, text: str) -> Iterator[Broken]:
    yield from _number(name, text)
    if (number(text) or Decimal(0)) < 0:
        yield Rule.NEGATIVE_PRICE, name, f"is below 0: {text}"


def _moment(name: str, text: str) -> Iterator[Broken]:
    try:
        wrong = not _MOMENT.fullmatch(text) or datetime.fromisoformat(text) is None
    except ValueError:
        wrong = True
    if wrong:
        yield Rule.MOMENT, name, f"is no moment like 2026-03-14T00:00:00Z: {text}"


def _currency(name: str, text: str) -> Iterator[Broken]:
    if text not in CURRENCIES:
        yield Rule.CURRENCY, name, f"is no currency of ISO 4217: {text}"


def _pairs(name: str, text: str) -> Iterator[Broken]:
    try:
        found = json.loads(text, object_pairs_hook=list, parse_constant=_refuse)
    except ValueError:
        found = None
    # As a list of pairs, an object cannot be told from an array of arrays but by how it begins.
    if not isinstance(found, list) or not text.lstrip().startswith("{"):
        yield Rule.PAIRS, name, f"is no JSON object: {text}"
        return
    keys = [key for key, _value in found]
    if len(set(keys)) < len(keys):
        yield Rule.PAIRS, name, f"has a key twice: {text}"
    if any(isinstance(value, list) for _key, value in found):
        yield Rule.PAIRS, name, f"has a value that is not a single one: {text}"
    if name == "SkuPriceDetails" and any(key not in SKU_PRICE_DETAILS and not key.startswith(CUSTOM) for key in keys):
        yield Rule.PAIRS_PREFIX, name, f"has a key of our own without {CUSTOM}: {text}"


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_FORMATS: dict[Kind, Callable[[str, str], Iterator[Broken]]] = {
    Kind.NUMBER: _number,
    Kind.PRICE: _price,
    Kind.MOMENT: _moment,
    Kind.CURRENCY: _currency,
    Kind.PAIRS: _pairs,
}
