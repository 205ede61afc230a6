"""The Access tab, handing over with its question, and how the list tells what is one's own from what is shared."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from engines.models import Cluster, Handover, Instance, InstanceEvent, Share
from engines.states import InstanceState
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.engines.test_pages_list import queries_of

HTMX = {"HX-Request": "true"}
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return factories.make_instance(acme, alice, cluster, name="Key visuals", state=InstanceState.RUNNING)


@pytest.fixture
def page(instance: Instance) -> str:
    return f"/acme/instances/{instance.slug}/"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def carol(acme: Tenant) -> User:
    user = factories.make_user("carol", first_name="Carol", last_name="Diaz")
    factories.join(user, acme)
    return user


def test_it_says_who_may_enter_and_offers_whom_one_may_let_in(as_alice: Client, page: str, acme: Tenant, carol: User) -> None:
    for name, role in (("vera", Role.VIEWER), ("finn", Role.FINANCE)):
        factories.join(factories.make_user(name), acme, role)
    factories.join(factories.make_user("gone", is_active=False), acme)
    answer = as_alice.get(page, {"tab": "access"})
    assert "Nobody but you may enter this engine." in answer.content.decode()
    assert [label for _value, label in answer.context["share_form"].fields["guest"].choices] == [
        "Choose…",
        "Everybody in Acme Studio who may use engines",
        "carol (Carol Diaz)",
    ]


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"ends": "hours"}, NOW + timedelta(hours=8)),
        ({"ends": "week"}, NOW + timedelta(days=7)),
        ({"ends": "month"}, NOW + timedelta(days=30)),
        ({"ends": "open"}, None),
        ({"ends": "open", "day": "2026-03-11"}, None),
        ({"ends": "day", "day": "2026-03-10"}, datetime(2026, 3, 10, 23, 59, 59, tzinfo=ZoneInfo("Asia/Shanghai"))),
    ],
)
def test_a_share_lasts_as_long_as_was_chosen(
    fields: dict[str, str], until: datetime | None, alice: User, client: Client, page: str, time_machine
) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Shanghai")
    time_machine.move_to(NOW, tick=False)
    client.force_login(alice)
    answer = client.post(page + "share/", {"guest": "everybody"} | fields)
    assert (answer.status_code, answer["Location"]) == (302, f"{page}?tab=access")
    share = Share.objects.get()
    assert (share.member, share.until) == (None, until)
    shown = client.get(answer["Location"]).content.decode()
    assert f'id="share-{share.pk}"' in shown
    assert "Everybody in Acme Studio</strong>" in shown
    assert ("until somebody ends it ·" in shown) == (until is None)


def test_it_can_be_shared_with_one_person(as_alice: Client, page: str, carol: User) -> None:
    as_alice.post(page + "share/", {"guest": carol.pk, "ends": "open"})
    assert Share.objects.get().member == carol
    assert "carol</strong>" in as_alice.get(page, {"tab": "access"}).content.decode()


@pytest.mark.parametrize(
    ("act", "fields", "sentence"),
    [
        ("share", {}, "This field is required."),
        ("share", {"guest": "0", "ends": "week"}, "Select a valid choice."),
        ("share", {"guest": "everybody", "ends": "day"}, "Choose the last day."),
        ("share", {"guest": "everybody", "ends": "day", "day": "2020-01-01"}, "Choose a moment that is still to come."),
        ("share/extend", {"ends": "week"}, "This field is required."),
        ("share/extend", {"share": "0", "ends": "week"}, "It has ended already."),
        ("share/end", {"share": "0"}, "It has ended already."),
        ("hand-over", {}, "This field is required."),
        ("hand-over", {"to": "0"}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_is_said_beside_it(
    act: str, fields: dict[str, str], sentence: str, as_alice: Client, page: str
) -> None:
    answer = as_alice.post(f"{page}{act}/", fields)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert (Share.objects.count(), Handover.objects.count(), InstanceEvent.objects.count()) == (0, 0, 0)


def test_the_end_is_moved_and_the_share_is_ended(as_alice: Client, page: str, instance: Instance, carol: User) -> None:
    share = factories.share(instance, carol)
    assert as_alice.post(page + "share/extend/", {"share": share.pk, "ends": "hours"}).status_code == 302
    share.refresh_from_db()
    assert share.until is not None
    answer = as_alice.post(page + "share/end/", {"share": share.pk}, follow=True)
    assert "The share has ended. Restart the engine if somebody may still have it open." in answer.content.decode()
    share.refresh_from_db()
    assert share.ended_by is not None


def test_a_share_of_another_instance_is_not_ended_from_here(
    as_alice: Client, page: str, acme: Tenant, anna: User, cluster: Cluster, carol: User
) -> None:
    annas = factories.share(factories.make_instance(acme, anna, cluster), carol)
    assert as_alice.post(page + "share/end/", {"share": annas.pk}).status_code == 422
    annas.refresh_from_db()
    assert annas.ended_at is None


def test_handing_over_names_what_follows(as_alice: Client, page: str, instance: Instance, carol: User, acme: Tenant) -> None:
    factories.share(instance, carol)
    factories.share(instance)
    asked = as_alice.get(page + "hand-over/", headers=HTMX).content.decode()
    assert "<html" not in asked
    assert "You may no longer enter it, unless the new owner shares it with you." in asked
    assert "These shares end: everybody in Acme Studio, carol" in " ".join(asked.split())
    assert f"“{instance.volume.name}”, belong to the new owner" in asked
    assert "What it cost until then stays with alice." in asked
    done = as_alice.post(page + "hand-over/", {"to": carol.pk}, headers=HTMX)
    assert done.headers["HX-Redirect"] == page
    after = as_alice.get(page).content.decode()
    assert "“Key visuals” belongs to carol now." in after
    assert "tab-access" not in after
    instance.refresh_from_db()
    assert instance.owner == carol


def test_without_javascript_it_is_a_page(as_alice: Client, page: str, carol: User) -> None:
    assert "<html" in as_alice.get(page + "hand-over/").content.decode()
    assert as_alice.post(page + "hand-over/", {"to": carol.pk})["Location"] == page
    assert Handover.objects.get().to_owner == carol


def test_an_admin_is_told_that_they_may_not_enter(client: Client, page: str, anna: User, instance: Instance) -> None:
    client.force_login(anna)
    sentence = "You look after this engine, but it belongs to alice"
    assert sentence in client.get(page, {"tab": "access"}).content.decode()
    assert "alice may no longer enter it" in client.get(page + "hand-over/").content.decode()
    client.post(page + "share/", {"guest": anna.pk, "ends": "hours"})
    shown = client.get(page, {"tab": "access"}).content.decode()
    assert sentence not in shown
    assert f"{instance.slug}.engines" in shown


def test_everybody_reads_in_the_timeline_who_was_let_in(
    client: Client, as_alice: Client, page: str, acme: Tenant, carol: User
) -> None:
    as_alice.post(page + "share/", {"guest": carol.pk, "ends": "open"})
    vera = factories.make_user("vera")
    factories.join(vera, acme, Role.VIEWER)
    client.force_login(vera)
    shown = " ".join(client.get(page, {"tab": "timeline"}).content.decode().split())
    assert "Shared. carol</p>" in shown


def test_the_list_begins_with_ones_own_then_what_is_shared(
    client: Client, acme: Tenant, alice: User, carol: User, cluster: Cluster
) -> None:
    def make(name: str, owner: User) -> Instance:
        return factories.make_instance(acme, owner, cluster, name=name, state=InstanceState.RUNNING)

    own, shared, _closed = make("Own", carol), make("Shared", alice), make("Closed", alice)
    factories.share(shared, carol, until=timezone.now() + timedelta(hours=1))
    client.force_login(carol)
    answer = client.get("/acme/")
    assert [row.instance.name for row in answer.context["rows"]] == ["Own", "Shared", "Closed"]
    shown = answer.content.decode()
    assert shown.count("shared with you") == 1
    assert [f"{each.slug}.engines" in shown for each in (own, shared, _closed)] == [True, True, False]
    assert "until 20" in client.get(f"/acme/instances/{shared.slug}/").content.decode()


def test_the_list_costs_the_same_queries_however_much_is_shared(
    client: Client, acme: Tenant, alice: User, carol: User, cluster: Cluster
) -> None:
    client.force_login(carol)
    factories.share(factories.make_instance(acme, alice, cluster), carol)
    client.get("/acme/")
    few = [queries_of(client, address) for address in ("/acme/", "/acme/data/")]
    for _ in range(6):
        factories.share(factories.make_instance(acme, alice, cluster), carol)
    assert [queries_of(client, address) for address in ("/acme/", "/acme/data/")] == few


def test_an_operator_changes_the_role_of_a_membership_and_not_whose_it_is(
    client: Client, olga: User, bob: User, alice_in_acme: Membership, bolt: Tenant
) -> None:
    client.force_login(olga)
    address = f"/admin/tenants/membership/{alice_in_acme.pk}/change/"
    assert client.post(address, {"user": bob.pk, "tenant": bolt.pk, "role": Role.ADMIN}).status_code == 302
    changed = Membership.objects.get(pk=alice_in_acme.pk)
    assert (changed.user, changed.tenant, changed.role) == (alice_in_acme.user, alice_in_acme.tenant, Role.ADMIN)
