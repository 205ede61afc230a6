"""Every secret in the database encrypted with the newest key, a few rows at a time, so that it may be stopped and begun again."""

# ruff: noqa: SLF001 - `_meta` and `_base_manager` are Django's public names

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Model

from aigc_portal.sealed_field import SealedColumn, sealed_columns
from aigc_portal.sealing import Unreadable, is_current, is_sealed, reseal

BATCH = 100
"""Rows that one transaction locks, at most."""


@dataclass
class Outcome:
    """What became of the stored secrets; `unreadable` names the rows that none of the keys opens, which are left as they are."""

    resealed: int = 0
    current: int = 0
    unreadable: list[str] = field(default_factory=list)


def reseal_everything() -> Outcome:
    """Encrypt with the first key whatever another one has sealed. What was done stays done if this is stopped in between."""
    outcome = Outcome()
    for column in sealed_columns():
        for keys in _batches(column):
            _reseal_rows(column, keys, outcome)
    return outcome


def _batches(column: SealedColumn) -> Iterator[list[object]]:
    """Primary keys of the rows that have something sealed."""
    rows = column.model._base_manager.exclude(**{column.field: ""}).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    yield from (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))


@transaction.atomic
def _reseal_rows(column: SealedColumn, keys: list[object], outcome: Outcome) -> None:
    """Under the rows' locks, so that a secret that somebody stores meanwhile is not overwritten with the one before."""
    for row in column.model._base_manager.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk"):
        found = list(_sealed_texts(getattr(row, column.field)))
        old = [text for text in found if not is_current(text)]
        outcome.current += len(found) - len(old)
        if old:
            _reseal_row(column, row, old, outcome)


def _reseal_row(column: SealedColumn, row: Model, old: list[str], outcome: Outcome) -> None:
    try:
        anew = {text: reseal(text) for text in old}
    except Unreadable:
        outcome.unreadable.append(f"{column} of row {row.pk}")
        return
    value = _replaced(getattr(row, column.field), anew)
    column.model._base_manager.filter(pk=row.pk).update(**{column.field: value})
    outcome.resealed += len(old)


def _sealed_texts(value: object) -> Iterator[str]:
    """Yield the sealed texts of a column: the text itself, or those that stand in its JSON."""
    if isinstance(value, str) and is_sealed(value):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _sealed_texts(each)


def _replaced(value: object, anew: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return anew.get(value, value)
    if isinstance(value, dict):
        return {key: _replaced(each, anew) for key, each in value.items()}
    return [_replaced(each, anew) for each in value] if isinstance(value, list) else value
