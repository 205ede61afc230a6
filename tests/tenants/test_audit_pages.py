"""The page of the audit log, its file, and the operators' list: what they show, and to whom."""

import csv
import io
import re
from collections.abc import AsyncIterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from tenants.audit.models import AuditEvent
from tenants.audit.queries import PAGE, batches_of, events_of, page_of
from tenants.models import Role, Tenant, User
from tests import factories

URL = "/acme/team/audit/"
CSV = f"{URL}events.csv"


def make_event(tenant: Tenant | None, actor: User | None, kind: str = "instance.paused", **fields: Any) -> AuditEvent:
    defaults = {"at": timezone.now(), "via": "portal", "subject_kind": "instance", "subject_id": "i-1", "subject_name": "Dragon"}
    return AuditEvent.objects.create(**defaults | {"tenant": tenant, "actor": actor, "kind": kind} | fields)


def file_of(answer: Any) -> tuple[str, list[dict[str, str]]]:
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")

    async def read() -> bytes:
        chunks: AsyncIterable[bytes] = answer
        return b"".join([chunk async for chunk in chunks])

    body = async_to_sync(read)().decode("utf-8-sig")
    return body, list(csv.DictReader(io.StringIO(body, newline="")))


def entries(client: Client, **query: str) -> list[int]:
    """The numbers of the entries that a page shows, in its order."""
    answer = client.get(URL, query)
    assert answer.status_code == 200
    return [int(number) for number in re.findall(r"<code>[a-z_.]+ (\d+)</code>", answer.content.decode())]


@pytest.fixture
def anna_client(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


def test_an_event_is_a_sentence_with_who_behind_where_and_details(
    anna_client: Client, acme: Tenant, alice: User, olga: User
) -> None:
    make_event(
        acme,
        alice,
        "instance.class_changed",
        behind=olga,
        address="192.0.2.7",
        token="k3y",
        details={"from": "l4", "to": "a100", "note": "<b>x</b>"},
    )
    page = " ".join(re.sub(r"<(?!b>|/b>)[^>]*>", " ", anna_client.get(URL).content.decode()).split())
    assert "<b>alice</b> changed the GPU class of an engine <b>Dragon</b> by operator olga" in page
    assert "portal · 192.0.2.7 · token k3y" in page
    assert "change l4 → a100 note &lt;b&gt;x&lt;/b&gt;" in page


def test_what_changed_reads_as_old_and_new(anna_client: Client, acme: Tenant, alice: User) -> None:
    make_event(acme, alice, "instance.renamed", details={"from": "Dragon", "to": "Wyvern"})
    make_event(acme, alice, "console.changed", details={"model": "tenant", "may_burst": {"from": False, "to": True}})
    page = anna_client.get(URL).content.decode()
    assert "Dragon → Wyvern" in page
    assert "no → yes" in page


def test_limits_are_named_and_counted_as_people_write_them(anna_client: Client, acme: Tenant, anna: User) -> None:
    limit = {"subject_kind": "quota", "subject_name": "gpus · member"}
    make_event(acme, anna, "quota.set", details={"from": None, "to": 1500}, **limit)
    request = {"subject_kind": "quota_request", "subject_name": "storage · alice"}
    make_event(acme, anna, "quota_request.asked", details={"amount": 2500, "word": "", "whole_tenant": False}, **request)
    make_event(acme, anna, subject_name="gpus")  # an engine may be called so
    page = " ".join(re.sub(r"<(?!b>|/b>)[^>]*>", " ", anna_client.get(URL).content.decode()).split())
    assert "<b>GPUs · member</b>" in page
    assert "change – → 1.5 " in page
    assert "<b>storage, GiB · alice</b>" in page
    assert "word – how much 2500 for everybody no" in page
    assert "<b>gpus</b>" in page


@pytest.mark.parametrize(
    ("role", "status"), [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.MEMBER, 403), (Role.FINANCE, 403), (Role.VIEWER, 403)]
)
@pytest.mark.parametrize("url", [URL, CSV])
def test_owners_and_admins_alone_read_it(client: Client, acme: Tenant, alice: User, role: str, status: int, url: str) -> None:
    reader = factories.make_user("carol")
    factories.join(reader, acme, role)
    make_event(acme, alice, subject_name="Secret plans")
    client.force_login(reader)
    answer = client.get(url)
    assert answer.status_code == status
    assert status == 200 or b"Secret plans" not in answer.content
    assert AuditEvent.objects.filter(kind="audit.exported").count() == (status == 200 and url == CSV)
    assert (f'href="{URL}"' in client.get("/acme/team/").content.decode()) == (status == 200)


@pytest.mark.parametrize("url", [URL, CSV])
def test_a_stranger_learns_nothing_and_no_tenant_sees_anothers(
    client: Client, acme: Tenant, bolt: Tenant, alice: User, bob: User, url: str
) -> None:
    make_event(acme, alice, subject_name="Secret plans")
    make_event(None, alice, subject_name="Secret plans")
    client.force_login(bob)
    assert client.get(url).status_code == 404
    own = client.get(url.replace("acme", "bolt"))
    shown = file_of(own)[0] if own.streaming else own.content.decode()
    assert "Secret plans" not in shown
    assert not AuditEvent.objects.filter(tenant=acme, kind="audit.exported").exists()


@pytest.mark.parametrize("url", [URL, CSV])
def test_nothing_is_posted_to_it(anna_client: Client, url: str) -> None:
    assert anna_client.post(url).status_code == 405


def test_filters(anna_client: Client, acme: Tenant, alice: User, anna: User, olga: User) -> None:
    paused = make_event(acme, alice)
    launched = make_event(acme, anna, "instance.launched", subject_name="Wyvern", subject_id="i-2", via="api")
    behind = make_event(acme, alice, "volume.trashed", behind=olga, via="admin")
    portal = make_event(acme, None, "price.set", via="system")
    everything = [portal.pk, behind.pk, launched.pk, paused.pk]
    assert entries(anna_client) == everything
    for query, expected in (
        ({"who": "alice"}, [behind.pk, paused.pk]),
        ({"who": "ALICE"}, [behind.pk, paused.pk]),
        ({"who": "olga"}, [behind.pk]),
        ({"who": "nobody"}, []),
        ({"who": "the portal itself"}, [portal.pk]),
        ({"what": "instance"}, [launched.pk, paused.pk]),
        ({"what": "instance.launched"}, [launched.pk]),
        ({"what": "volume", "who": "anna"}, []),
        ({"thing": "wyv"}, [launched.pk]),
        ({"thing": "i-2"}, [launched.pk]),
        ({"thing": "%"}, []),
        ({"via": "api"}, [launched.pk]),
        ({"via": "api", "what": "price"}, []),
        ({"what": "nonsense"}, everything),
        ({"since": "not a day"}, everything),
    ):
        assert entries(anna_client, **query) == expected, query


def test_days_are_whole_and_the_readers_own(anna_client: Client, acme: Tenant, alice: User, anna: User) -> None:
    anna.time_zone = "Asia/Kathmandu"  # 5:45 ahead of UTC
    anna.save()
    late = make_event(acme, alice, at=datetime.fromisoformat("2026-03-09T18:14:59+00:00"))  # the 9th, a second before midnight
    early = make_event(acme, alice, at=datetime.fromisoformat("2026-03-09T18:15:00+00:00"))  # the 10th
    assert entries(anna_client, since="2026-03-10") == [early.pk]
    assert entries(anna_client, until="2026-03-09") == [late.pk]
    assert entries(anna_client, since="2026-03-09", until="2026-03-10") == [early.pk, late.pk]


def test_pages_follow_each_other_without_gap_or_repetition_while_events_come(
    anna_client: Client, acme: Tenant, alice: User
) -> None:
    moment = timezone.now() - timedelta(hours=1)
    made = [make_event(acme, alice, at=moment + timedelta(seconds=number // 3)).pk for number in range(2 * PAGE + 7)]
    seen, query, pages = [], {}, 0
    while True:
        page = anna_client.get(URL, query).context["page"]
        seen += [event.pk for event in page.events]
        pages += 1
        make_event(acme, alice)
        if not page.older:
            break
        query = {"before": page.older}
    assert seen == made[::-1]
    assert pages == 3


@pytest.mark.parametrize(
    "before", ["", "nonsense", "2026-01-01_1", "2026-01-01T00:00:00+00:00_x", f"2026-01-01T00:00:00+00:00_{'9' * 30}"]
)
def test_a_key_that_is_none_begins_anew(acme: Tenant, alice: User, before: str) -> None:
    event = make_event(acme, alice)
    assert page_of(events_of(acme), before=before).events == [event]


def test_a_page_costs_as_many_queries_for_many_events_as_for_one(
    anna_client: Client, acme: Tenant, alice: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make_event(acme, factories.make_user(f"user{number}"))
    with django_assert_max_num_queries(10):
        anna_client.get(URL)


def test_the_file_has_what_the_filter_leaves_and_acts_as_no_formula(
    anna_client: Client, acme: Tenant, alice: User, anna: User
) -> None:
    make_event(acme, anna)
    evil = factories.make_user("=cmd()")
    at = datetime.fromisoformat("2026-03-09T18:15:00.123456+00:00")
    make_event(
        acme, evil, at=at, subject_name="@SUM(A1)", subject_id="-1", address="192.0.2.7", details={"to": "é", "from": "=1"}
    )
    _body, rows = file_of(anna_client.get(CSV, {"who": "=cmd()"}))
    assert rows == [
        {
            "at": "2026-03-09T18:15:00.123Z",
            "tenant": "acme",
            "who": "'=cmd()",
            "behind": "",
            "kind": "instance.paused",
            "what": "paused an engine",
            "thing_kind": "instance",
            "thing_id": "'-1",
            "thing": "'@SUM(A1)",
            "via": "portal",
            "address": "192.0.2.7",
            "api_token": "",
            "details": '{"from": "=1", "to": "é"}',
        }
    ]
    taken = AuditEvent.objects.get(kind="audit.exported")
    assert (taken.actor, taken.tenant, taken.details) == (anna, acme, {"who": "=cmd()"})


def test_a_long_log_is_read_batch_by_batch(acme: Tenant, alice: User) -> None:
    moment = timezone.now()
    made = [make_event(acme, alice, at=moment).pk for _ in range(11)]
    batches = [[event.pk for event in batch] for batch in batches_of(events_of(acme), size=4)]
    assert batches == [made[:-5:-1], made[6:2:-1], made[2::-1]]


def test_operators_see_all_tenants_and_take_what_they_see(
    client: Client, acme: Tenant, bolt: Tenant, alice: User, olga: User
) -> None:
    make_event(acme, alice)
    make_event(bolt, None, "price.set", via="admin")
    client.force_login(olga)
    page = client.get("/admin/tenants/auditevent/").content.decode()
    assert "paused an engine" in page
    assert "set a price" in page
    _body, rows = file_of(client.get("/admin/tenants/auditevent/export/", {"what": "price", "via__exact": "admin"}))
    assert [(row["tenant"], row["kind"]) for row in rows] == [("bolt", "price.set")]
    assert AuditEvent.objects.get(kind="audit.exported").actor == olga


def test_operators_change_nothing_of_it(client: Client, acme: Tenant, alice: User, olga: User) -> None:
    event = make_event(acme, alice)
    client.force_login(olga)
    assert client.get(f"/admin/tenants/auditevent/{event.pk}/change/").status_code == 200
    for action in ("add/", f"{event.pk}/delete/", f"{event.pk}/change/"):
        assert client.post(f"/admin/tenants/auditevent/{action}", {"kind": "x", "post": "yes"}).status_code == 403
    client.post("/admin/tenants/auditevent/", {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"})
    assert AuditEvent.objects.get().kind == "instance.paused"


def test_who_may_not_see_it_takes_nothing(client: Client, acme: Tenant, alice: User) -> None:
    make_event(acme, alice)
    client.force_login(factories.make_operator("sam", "engines.view_instance"))
    assert client.get("/admin/tenants/auditevent/").status_code == 403
    assert client.get("/admin/tenants/auditevent/export/").status_code == 403
    assert not AuditEvent.objects.filter(kind="audit.exported").exists()


def test_what_members_do_with_their_accounts_is_told_since_they_are_members(
    anna_client: Client, acme: Tenant, alice: User, bob: User
) -> None:
    joined = alice.memberships.get().created_at

    def account_event(person: User, at: datetime, actor: User | None = None) -> AuditEvent:
        subject = {"subject_kind": "person", "subject_id": str(person.pk), "subject_name": person.username}
        return make_event(None, actor, "account.sign_in_failed", at=at, **subject)

    account_event(alice, joined - timedelta(seconds=1))
    account_event(bob, timezone.now())
    make_event(None, alice, "console.changed", subject_kind="person", subject_id=str(alice.pk))
    seen = [account_event(alice, joined, alice), account_event(alice, timezone.now())]
    assert entries(anna_client) == [each.pk for each in reversed(seen)]
    assert entries(anna_client, what="account") == [each.pk for each in reversed(seen)]
