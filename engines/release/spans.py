"""The history of use: each look extends the stretch that lasts, or begins another."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from engines.models import Instance, UseSpan
from engines.release.writing import update_each

GAP = timedelta(seconds=150)
"""Two signs of use this close are one stretch: a look a minute sees at most the newest of each kind."""
KEPT_FOR = timedelta(days=65)
"""So that the whole of last month is known up to the end of this one."""


class Sign(NamedTuple):
    """That an instance was used at a moment."""

    instance: Instance
    kind: UseSpan.Kind
    at: datetime


class Extended(NamedTuple):
    """A stretch that lasts until now."""

    id: int
    ended_at: datetime


def record(signs: Iterable[Sign]) -> None:
    """Write the signs down; those that are known already change nothing."""
    signs = list(signs)
    runs = {sign.instance.run_id for sign in signs}
    spans = UseSpan.objects.filter(run_id__in=runs).order_by("run_id", "kind", "-ended_at").distinct("run_id", "kind")
    newest = {(span.run_id, span.kind): span for span in spans}
    begun, extended = [], []
    for sign in signs:
        last = newest.get((sign.instance.run_id, sign.kind))
        if last is not None and sign.at <= last.ended_at:
            continue
        if last is not None and sign.at - last.ended_at <= GAP:
            last.ended_at = sign.at
            extended.append(Extended(last.pk, sign.at))
        else:
            span = UseSpan(
                instance=sign.instance, run_id=sign.instance.run_id, kind=sign.kind, began_at=sign.at, ended_at=sign.at
            )
            begun.append(span)
    UseSpan.objects.bulk_create(begun)
    update_each(UseSpan, extended, same=("id",))


def forget_old() -> None:
    """Drop what is too old to be replayed."""
    UseSpan.objects.filter(ended_at__lt=timezone.now() - KEPT_FOR).delete()
