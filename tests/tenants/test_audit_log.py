"""The audit log: nobody changes it, what is old leaves by one door, and each event says from where it came."""

import ast
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from engines.models import Instance
from engines.operations.instances import pause_instance
from tenants.audit.kinds import GROUPS, KINDS, group_of
from tenants.audit.middleware import OriginMiddleware
from tenants.audit.models import AuditEvent
from tenants.audit.operations import NOTHING, Subject, record
from tenants.audit.origin import Channel, Origin, originating, present_origin
from tenants.audit.retention import forget_older_than
from tenants.models import Membership, Tenant, User
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("aigc_portal", "tenants", "engines", "gateway", "billing")


def make_event(days: float, **fields: object) -> AuditEvent:
    defaults = {"at": timezone.now() - timedelta(days=days), "kind": "instance.paused", "via": Channel.PORTAL}
    return AuditEvent.objects.create(**defaults | fields)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tenants_auditevent SET kind = 'price.set'",
        "DELETE FROM tenants_auditevent",
        "SET LOCAL aigc.audit_forgets_before = '2999-01-01'; DELETE FROM tenants_auditevent",
    ],
)
def test_the_database_refuses_changes(db: None, change: str) -> None:
    make_event(29)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert AuditEvent.objects.get().kind == "instance.paused"


def test_what_is_old_goes_in_batches_and_that_is_recorded(db: None) -> None:
    for days in (500, 450, 401, 399, 1):
        make_event(days)
    due = timezone.now() - timedelta(days=400)
    assert forget_older_than(due, batch=2) == 3
    told = AuditEvent.objects.filter(kind="audit.forgotten").order_by("pk")
    assert [event.details["count"] for event in told] == [2, 1]
    assert {event.details["before"] for event in told} == {due.isoformat()}
    assert [(event.actor, event.via) for event in told] == [(None, "system")] * 2
    assert AuditEvent.objects.filter(kind="instance.paused").count() == 2
    assert forget_older_than(due, batch=2) == 0
    assert told.count() == 2


def test_nothing_younger_than_thirty_days_goes_whatever_is_asked(db: None) -> None:
    make_event(31)
    kept = make_event(29)
    assert forget_older_than(timezone.now() + timedelta(days=1)) == 1
    assert AuditEvent.objects.filter(kind="instance.paused").get() == kept


def test_the_door_closes_behind_whoever_used_it(db: None) -> None:
    make_event(500)
    forget_older_than(timezone.now() - timedelta(days=400))
    make_event(500)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.filter(kind="instance.paused").delete()


@pytest.mark.django_db(transaction=True)
def test_many_that_forget_at_once_and_others_that_record_lose_nothing() -> None:
    for _ in range(60):
        make_event(500)
    kept = make_event(10)
    due = timezone.now() - timedelta(days=400)
    barrier = threading.Barrier(6)

    def act(number: int) -> int:
        barrier.wait()
        try:
            if number % 2:
                for _ in range(10):
                    record("instance.paused", actor=None, subject=NOTHING)
                return 0
            return forget_older_than(due, batch=7)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        forgotten = sum(pool.map(act, range(6)))
    assert forgotten == 60
    assert sum(event.details["count"] for event in AuditEvent.objects.filter(kind="audit.forgotten")) == 60
    assert AuditEvent.objects.filter(kind="instance.paused").count() == 30 + 1
    assert AuditEvent.objects.filter(pk=kept.pk).exists()


def test_what_is_rolled_back_was_never_done(acme: Tenant, alice: User) -> None:
    with transaction.atomic():
        record("instance.paused", actor=alice, tenant=acme)
        transaction.set_rollback(True)
    assert not AuditEvent.objects.exists()


def test_a_kind_without_words_is_refused(db: None) -> None:
    with pytest.raises(KeyError):
        record("instance.exploded", actor=None)
    assert not AuditEvent.objects.exists()


def test_names_that_are_too_long_are_cut_and_never_refused(db: None) -> None:
    event = record("instance.paused", actor=None, subject=Subject("instance", "i" * 100, "n" * 500))
    event.refresh_from_db()
    assert (len(event.subject_id), len(event.subject_name)) == (64, 200)


def test_without_a_request_the_portal_itself_acts(instance_of_alice: Instance, alice_in_acme: Membership) -> None:
    pause_instance(instance=instance_of_alice, by=alice_in_acme)
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor, event.tenant) == ("instance.paused", alice_in_acme.user, alice_in_acme.tenant)
    assert (event.via, event.address, event.behind, event.token) == ("system", None, None, "")
    assert (event.subject_kind, event.subject_id, event.subject_name) == ("instance", instance_of_alice.slug, "Dragon")


def test_doing_what_is_done_already_is_no_event(instance_of_alice: Instance, alice_in_acme: Membership) -> None:
    pause_instance(instance=instance_of_alice, by=alice_in_acme)
    pause_instance(instance=instance_of_alice, by=alice_in_acme)
    assert AuditEvent.objects.count() == 1


@pytest.fixture
def instance_of_alice(acme: Tenant, alice: User, cluster: object) -> Instance:
    return factories.make_instance(acme, alice, cluster, name="Dragon", state="running")


@pytest.mark.parametrize(
    ("path", "remote", "channel", "address"),
    [
        ("/acme/", "192.0.2.7", Channel.PORTAL, "192.0.2.7"),
        ("/admin/x/", "2001:DB8::1", Channel.ADMIN, "2001:db8::1"),
        ("/api/v1/instances", "::ffff:192.0.2.7", Channel.API, "192.0.2.7"),
        ("/gw/authorize", "fe80::1%eth0", Channel.GATEWAY, "fe80::1"),
        ("/", "", Channel.PORTAL, ""),
        ("/", "/run/portal.sock", Channel.PORTAL, ""),
        ("/", "192.0.2.7, 10.0.0.1", Channel.PORTAL, ""),
    ],
)
def test_a_request_names_its_origin(path: str, remote: str, channel: Channel, address: str) -> None:
    seen: list[Origin] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(present_origin())
        return HttpResponse()

    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    request = RequestFactory().get(path, REMOTE_ADDR=remote, headers=claimed)
    OriginMiddleware(view)(request)
    assert seen == [Origin(channel=channel, address=address)]
    assert present_origin() == Origin()


def test_an_origin_ends_with_its_block_and_is_nobody_elses() -> None:
    elsewhere: list[Origin] = []
    with originating(Origin(channel=Channel.API, token="k")):
        thread = threading.Thread(target=lambda: elsewhere.append(present_origin()))
        thread.start()
        thread.join()
        assert present_origin().token == "k"
    assert elsewhere == [Origin()]
    assert present_origin() == Origin()


def calls_of(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of a function by this name in the product's code."""
    for path in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if "migrations" not in file.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield path.relative_to(ROOT), node


def test_every_kind_has_words_and_every_word_a_kind() -> None:
    texts = {
        node.value
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if file.name != "kinds.py" and "migrations" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    said_by_a_pattern = {kind for kind in KINDS if group_of(kind) == "quota_request"}
    assert set(KINDS) - texts == said_by_a_pattern
    assert {group_of(kind) for kind in KINDS} == set(GROUPS)


def test_views_and_forms_do_not_record_by_themselves() -> None:
    """One straight way: an operation does it and says so. Where there is none, because nothing is done, one form does."""
    places = {str(path) for path, _call in calls_of("record")}
    above = {place for place in places if "/views" in place or "admin" in place or place.endswith(("forms.py", "tasks.py"))}
    assert above == {"tenants/sign_in/forms.py"}  # a wrong code, of which allauth tells nobody else
    assert "engines/auditing.py" in places
