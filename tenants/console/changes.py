"""What a form of the console changes, field by field, in words and without secrets."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from django.forms import BaseForm, ModelChoiceField

MASK = "•••"
LONGEST = 300
_SECRET = re.compile(r"passw|secret|sealed|token|digest|credential|private|(^|_|-)key$|kubeconfig$|authorization", re.IGNORECASE)


@dataclass(frozen=True)
class Changes:
    """What one form changes of its row, and what its inlines do to theirs: kind of event, row, fields."""

    fields: dict[str, object] = field(default_factory=dict)
    others: list[tuple[str, Model, dict[str, object]]] = field(default_factory=list)


def changes_of(form: BaseForm, formsets: Iterable[Any] | None, *, add: bool) -> Changes:
    """Return what a valid form and its saved inlines have changed."""
    changes = Changes(fields_of(form, add=add))
    for formset in formsets or ():
        forms = {id(each.instance): each for each in formset.forms}
        for row in formset.new_objects:
            changes.others.append(("console.added", row, fields_of(forms[id(row)], add=True)))
        for row, _fields in formset.changed_objects:
            changes.others.append(("console.changed", row, fields_of(forms[id(row)], add=False)))
        changes.others.extend(("console.deleted", row, {}) for row in formset.deleted_objects)
    return changes


def fields_of(form: BaseForm, *, add: bool) -> dict[str, object]:
    """Return each changed field with its old and new value; of a new row the new ones alone."""
    told: dict[str, object] = {}
    for name in form.changed_data:
        new = MASK if _SECRET.search(name) else plain(form.cleaned_data.get(name))
        if add:
            told[name] = new
        else:
            told[name] = {"from": MASK if _SECRET.search(name) else _initial(form, name), "to": new}
    return told


def plain(value: Any) -> object:
    """Return a value as JSON can hold it and people can read it; what a name in it calls secret is masked."""
    match value:
        case None | bool() | int():
            return value
        case Mapping():
            return _short({key: MASK if _SECRET.search(str(key)) else plain(each) for key, each in value.items()})
        case datetime() | date() | time():
            return value.isoformat()
        case str() | Decimal() | Model():
            return _cut(str(value))
        case QuerySet() | list() | tuple() | set() | frozenset():
            return _short([plain(each) for each in value])
    return _cut(str(value))


def _initial(form: BaseForm, name: str) -> object:
    """What the field had; rows are named, not numbered."""
    if name not in form.fields:
        return None
    form_field = form.fields[name]
    initial = form.get_initial_for_field(form_field, name)
    if isinstance(form_field, ModelChoiceField) and isinstance(initial, int | str | UUID) and initial != "":
        return plain(form_field.queryset.filter(pk=initial).first() if form_field.queryset is not None else None)
    return plain(initial)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _short(value: Any) -> object:
    """Structures stay as they are as long as they are small, and else become the beginning of their text."""
    text = str(value)
    return value if len(text) <= LONGEST else _cut(text)
