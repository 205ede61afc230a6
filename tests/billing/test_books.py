"""What the database itself refuses."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from billing.models import Charge, UsageInterval
from billing.operations import settle
from engines.models import Instance
from tests.billing.facts import lines, moment, record

START = moment("2026-03-10T10:00:00")


@pytest.fixture
def charge(instance: Instance) -> Charge:
    record(instance, "ready", START)
    record(instance, "ended", START + timedelta(minutes=20))
    settle(instance.pk, now=START + timedelta(hours=1))
    return Charge.objects.get()


def test_charge_is_never_changed_or_deleted(charge: Charge) -> None:
    for refused in (lambda: Charge.objects.update(amount=0), lambda: Charge.objects.all().delete()):
        with pytest.raises(IntegrityError, match="billing_charge is append-only"), transaction.atomic():
            refused()
    assert lines(Charge.objects.all()) == [("original", 1200, "0.833333333")]


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({}, "charge_once"),
        ({"revision": 1}, "charge_revision"),
        ({"kind": "reversal", "revision": 1}, "charge_sign"),
        ({"kind": "replacement", "revision": 1, "amount": -1}, "charge_sign"),
        ({"kind": "replacement", "revision": 1, "ends_at": START + timedelta(seconds=3601)}, "charge_within_its_cell"),
        ({"kind": "replacement", "revision": 1, "ends_at": START}, "charge_within_its_cell"),
    ],
)
def test_charge_that_cannot_be_is_refused(charge: Charge, fields: dict[str, object], constraint: str) -> None:
    row = Charge(**{field.attname: getattr(charge, field.attname) for field in Charge._meta.concrete_fields} | fields)
    row.pk = None
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.save(force_insert=True)
    assert Charge.objects.count() == 1


@pytest.mark.parametrize("ends_at", [START + timedelta(minutes=30), None])
def test_usage_of_an_instance_never_overlaps(charge: Charge, ends_at: object) -> None:
    row = UsageInterval.objects.get()
    row.pk, row.run_id, row.starts_at, row.ends_at = None, "other", START + timedelta(seconds=1199), ends_at
    with pytest.raises(IntegrityError, match="usage_without_overlap"), transaction.atomic():
        row.save(force_insert=True)
    row.starts_at = START + timedelta(seconds=1200)
    row.save(force_insert=True)
    assert UsageInterval.objects.count() == 2
