"""Every secret in the database encrypted with the newest key, a few rows at a time, so that it may be stopped and begun again."""

# ruff: noqa: SLF001 - `_meta` and `_base_manager` are Django's public names

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

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
        value = getattr(row, column.field)
        sealed = list(_sealed_texts(value))
        older = [text for text in sealed if not is_current(text)]
        outcome.current += len(sealed) - len(older)
        if older:
            _reseal_row(column, row, value, outcome)


def _reseal_row(column: SealedColumn, row: Model, value: Any, outcome: Outcome) -> None:
    try:
        anew = _resealed(value)
    except Unreadable:
        outcome.unreadable.append(f"{column} of row {row.pk}")
        return
    column.model._base_manager.filter(pk=row.pk).update(**{column.field: anew})
    outcome.resealed += 1


def _sealed_texts(value: Any) -> Iterator[str]:
    """Find the sealed texts in a column's value: the text itself, or those of a document."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _sealed_texts(each)
    elif isinstance(value, str) and is_sealed(value):
        yield value


def _resealed(value: Any) -> Any:
    """Return the value with all its sealed texts encrypted anew; Unreadable if no key fits one."""
    if isinstance(value, dict):
        return {key: _resealed(each) for key, each in value.items()}
    return reseal(value) if isinstance(value, str) and is_sealed(value) else value
