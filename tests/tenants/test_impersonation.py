"""An operator looks as somebody: sees what they see, changes and enters nothing, stays who they are, and it is all told."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from engines.models import Cluster, Instance
from engines.states import InstanceState
from gateway import handoff
from gateway.models import ApiToken
from gateway.standing import Verdict, Visitor, look_up
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed
from tenants.impersonation import looking, operations, rules
from tenants.impersonation.operations import NoReason
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.test_routes import PICTURE, ROUTES, address, everything_written, make_secret

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return make_secret(acme, alice, cluster)


@pytest.fixture
def sam(db: None) -> User:
    """Of the support: may look, and not act."""
    return factories.make_operator("sam", "tenants.look_as", "tenants.view_user")


@pytest.fixture
def otto(db: None) -> User:
    return factories.make_operator("otto", "tenants.look_as", "tenants.act_as", "tenants.view_user")


@pytest.fixture
def look(client: Client) -> Callable[..., Client]:
    """Look as somebody by the console's own button."""

    def run(operator: User, person: User, reason: str = "Ticket 7") -> Client:
        client.force_login(operator)
        answer = client.post(button(person), {"_form_submitted": "on", "reason": reason}, headers=HTMX)
        assert answer.headers.get("HX-Redirect") == "/", answer.content.decode()
        return client

    return run


def button(person: User) -> str:
    return reverse("admin:tenants_user_look_as", args=[person.pk])


def told(*kinds: str) -> list[AuditEvent]:
    wanted = kinds or ("impersonation.started", "impersonation.acting", "impersonation.ended")
    return list(AuditEvent.objects.filter(kind__in=wanted).order_by("pk"))


# --- Beginning and ending ---------------------------------------------------------------------------------------------


def test_the_button_asks_why_and_the_team_can_read_it(look: Any, sam: User, alice: User, acme: Tenant, bolt: Tenant) -> None:
    factories.join(alice, bolt)
    client = look(sam, alice, reason="  Ticket   7 ")
    assert client.get("/acme/").context["request"].user == alice
    events = told()
    assert [(event.kind, event.actor, event.behind, event.tenant) for event in events] == [
        ("impersonation.started", sam, None, acme),
        ("impersonation.started", sam, None, bolt),
    ]
    assert (events[0].subject_kind, events[0].subject_name, events[0].details["reason"]) == ("user", "alice", "Ticket 7")
    assert client.post("/looking/end/")["Location"] == reverse("admin:tenants_user_change", args=[alice.pk])
    assert client.get("/acme/").status_code == 404
    ended = told("impersonation.ended")
    assert [(event.actor, event.tenant, event.details["why"]) for event in ended] == [(sam, acme, "ended"), (sam, bolt, "ended")]


def test_whose_eyes_are_lent_was_not_there(look: Any, sam: User, alice: User, alice_in_acme: Membership) -> None:
    assert look(sam, alice).get("/acme/").status_code == 200
    alice_in_acme.refresh_from_db()
    assert alice_in_acme.last_seen_at is None


def test_nobody_takes_a_tenant_away_through_its_owners_eyes(look: Any, sam: User, anna: User, acme: Tenant) -> None:
    client = look(sam, anna)
    assert client.get("/acme/team/settings/").status_code == 200
    assert client.get("/acme/team/settings/export/").status_code == 403
    assert not AuditEvent.objects.filter(kind="tenant.exported").exists()


def test_without_a_reason_nobody_looks(client: Client, sam: User, alice: User) -> None:
    client.force_login(sam)
    asked = client.post(button(alice), {"_form_submitted": "on", "reason": "  "}, headers=HTMX)
    assert "HX-Redirect" not in asked.headers
    assert not told()
    with pytest.raises(NoReason):
        operations.start_looking(operator=sam, person=alice, reason=" \n", session=client.session, now=NOW)


def test_the_banner_is_on_every_page_and_nowhere_else(look: Any, sam: User, alice: User, instance: Instance) -> None:
    client = look(sam, alice)
    for page in ("/acme/", f"/acme/instances/{instance.slug}/", "/acme/team/", "/acme/costs/", "/acme/nothing/here/"):
        shown = client.get(page).content.decode()
        assert "You see what <b>alice</b> sees, and change nothing." in shown, page
        assert 'action="/looking/end/"' in shown
        assert 'id="live"' not in shown
        assert "/looking/act/" not in shown
    client.post("/looking/end/")
    other = Client()
    other.force_login(alice)
    page = other.get("/acme/").content.decode()
    assert "You see what" not in page
    assert 'id="live"' in page


def test_the_operators_own_session_is_not_lost_and_the_console_stays_theirs(look: Any, sam: User, alice: User) -> None:
    client = look(sam, alice)
    session = client.session.session_key
    assert client.get("/admin/").context["request"].user == sam
    assert client.session.session_key == session
    assert client.session["_auth_user_id"] == str(sam.pk)
    client.post("/looking/end/")
    assert client.session.session_key == session
    assert client.get("/admin/").status_code == 200


def test_what_is_done_in_the_console_is_the_operators_own(look: Any, olga: User, alice: User, instance: Instance) -> None:
    client = look(olga, alice)
    client.post(reverse("admin:engines_instance_pause_one", args=[instance.pk]), {"_form_submitted": "on"}, headers=HTMX)
    event = AuditEvent.objects.get(kind="instance.paused")
    assert (event.actor, event.behind, event.via) == (olga, None, "admin")


def test_another_look_ends_the_first(look: Any, sam: User, alice: User, bob: User) -> None:
    look(sam, alice)
    client = look(sam, bob)
    assert client.get("/").headers["Location"] == "/bolt/"
    assert client.get("/acme/").status_code == 404
    events = [(event.kind, event.subject_name, event.details.get("why")) for event in told()]
    assert ("impersonation.ended", "alice", "another") in events
    assert events[-1] == ("impersonation.started", "bob", None)


def test_after_half_an_hour_it_is_over(look: Any, sam: User, alice: User) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        client = look(sam, alice)
        clock.shift(timedelta(minutes=29, seconds=59))
        assert client.get("/acme/").status_code == 200
        clock.shift(timedelta(seconds=1))
        answer = client.get("/acme/")
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")
        assert [event.details["why"] for event in told("impersonation.ended")] == ["over"]
        assert client.get("/acme/").status_code == 404


def test_signing_out_ends_it_and_signs_the_operator_out(look: Any, sam: User, alice: User) -> None:
    client = look(sam, alice)
    client.post("/accounts/logout/")
    assert [event.details["why"] for event in told("impersonation.ended")] == ["signed_out"]
    assert "_auth_user_id" not in client.session
    assert client.get("/acme/")["Location"].startswith("/accounts/login/")


def test_a_request_that_writes_the_session_back_brings_no_look_back(look: Any, sam: User, alice: User) -> None:
    client = look(sam, alice)
    before = looking.looking_in(client.session)
    client.post("/looking/end/")
    session = client.session
    looking.keep(session, before)
    session.save()
    assert client.get("/acme/").status_code == 302
    assert client.get("/acme/").status_code == 404
    assert len(told("impersonation.ended")) == 1


def lose_staff(sam: User, alice: User) -> None:
    User.objects.filter(pk=sam.pk).update(is_staff=False)


def lose_right(sam: User, alice: User) -> None:
    sam.user_permissions.filter(codename="look_as").delete()
    sam.user_permissions.clear()


def promote(sam: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True)


def close(sam: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


@pytest.mark.parametrize("change", [lose_staff, lose_right, promote, close])
def test_it_ends_with_either_ones_standing(look: Any, sam: User, alice: User, change: Callable[..., None]) -> None:
    client = look(sam, alice)
    change(sam, alice)
    assert client.get("/acme/").status_code == 302
    assert [event.details["why"] for event in told("impersonation.ended")] == ["rights"]
    assert client.get("/acme/").status_code == 404


def test_it_needs_the_second_factor_as_the_console_does(look: Any, sam: User, alice: User, settings: Any) -> None:
    client = look(sam, alice)
    settings.REQUIRE_OPERATOR_MFA = True
    TOTP.activate(sam, generate_totp_secret())
    assert client.get("/acme/").status_code == 302
    assert client.get("/acme/").status_code == 404


# --- Who, and as whom -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [("tenants.look_as",), ("tenants.use_console", "tenants.view_user")])
def test_it_takes_the_console_and_the_right(client: Client, alice: User, permissions: tuple[str, ...]) -> None:
    sam = factories.make_operator("sam", *permissions)
    if "tenants.use_console" not in permissions:
        sam.user_permissions.remove(sam.user_permissions.get(codename="use_console"))
    client.force_login(sam)
    answer = client.post(button(alice), {"_form_submitted": "on", "reason": "x"}, headers=HTMX)
    assert answer.status_code in {302, 403}
    assert looking.looking_in(client.session) is None
    assert not told()


@pytest.mark.parametrize("who", ["anna", "alice"])
def test_no_member_looks_as_anybody(client: Client, anna: User, alice: User, who: str) -> None:
    client.force_login({"anna": anna, "alice": alice}[who])
    client.post(button(alice), {"_form_submitted": "on", "reason": "x"}, headers=HTMX)
    assert client.post("/looking/act/").status_code == 403
    assert looking.looking_in(client.session) is None


@pytest.mark.parametrize("what", ["staff", "superuser", "inactive", "permission", "oneself"])
def test_nobody_looks_as_an_operator(client: Client, sam: User, what: str) -> None:
    person = {
        "staff": lambda: factories.make_user("other", is_staff=True),
        "superuser": lambda: factories.make_user("other", is_superuser=True),
        "inactive": lambda: factories.make_user("other", is_active=False),
        "permission": lambda: factories.make_operator("other"),
        "oneself": lambda: sam,
    }[what]()
    if what == "permission":
        User.objects.filter(pk=person.pk).update(is_staff=False)
        person = User.objects.get(pk=person.pk)
    with pytest.raises(NotAllowed):
        operations.start_looking(operator=sam, person=person, reason="x", session=client.session, now=NOW)
    client.force_login(sam)
    client.post(button(person), {"_form_submitted": "on", "reason": "x"}, headers=HTMX)
    assert looking.looking_in(client.session) is None
    assert button(person) not in client.get(reverse("admin:tenants_user_change", args=[person.pk])).content.decode()
    assert not told()


def test_a_look_in_a_session_of_somebody_else_counts_for_nobody(client: Client, sam: User, alice: User, bob: User) -> None:
    client.force_login(bob)
    session = client.session
    looking.keep(session, looking.Looking("k", sam.pk, alice.pk, "x", "2999-01-01T00:00:00+00:00", acting=True))
    session.save()
    assert client.get("/acme/").status_code == 302
    assert client.get("/acme/").status_code == 404


def test_forms_of_the_banner_need_their_token(client: Client, sam: User, alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(sam)
    for url in (button(alice), "/looking/end/", "/looking/act/"):
        assert strict.post(url, {"_form_submitted": "on", "reason": "x"}).status_code == 403
    assert client.get("/looking/end/").status_code == 405


# --- Looking changes nothing ------------------------------------------------------------------------------------------


def named_routes(patterns: list[Any], prefix: str = "") -> set[str]:
    names = set()
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            namespace = f"{pattern.namespace}:" if pattern.namespace else ""
            names |= named_routes(pattern.url_patterns, prefix + namespace)
        elif pattern.name:
            names.add(prefix + pattern.name)
    return names


def test_what_is_named_in_the_rules_exists() -> None:
    assert named_routes(get_resolver().url_patterns) >= rules.ACTS | rules.ANYWAY | rules.NEVER


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_sent_to_a_tenant(look: Any, sam: User, alice: User, instance: Instance, method: str) -> None:
    client = look(sam, alice)
    before = everything_written()
    data: Any = {"name": "Mine", "sure": "1"} if method == "post" else b"{}"
    answers = {name: getattr(client, method)(address(name, route, instance), data).status_code for name, route in ROUTES}
    assert answers == dict.fromkeys(dict(ROUTES), 403)
    assert everything_written() == before


@pytest.mark.parametrize(
    "url",
    ["/i18n/setlang/", "/accounts/password/change/", "/accounts/2fa/totp/activate/", "/accounts/email/", "/accounts/login/"],
)
def test_nothing_of_their_account_can_be_seen_or_sent(look: Any, sam: User, alice: User, url: str) -> None:
    client = look(sam, alice)
    before = everything_written()
    assert client.post(url, {"language": "zh-hans"}).status_code == 403
    assert client.get(url).status_code == 403
    assert everything_written() == before


def test_recovery_codes_of_somebody_are_not_shown(look: Any, sam: User, alice: User) -> None:
    assert look(sam, alice).get("/accounts/2fa/recovery-codes/").status_code == 403


@pytest.mark.parametrize("path", ["authorize?instance={0}&n=" + "0" * 64, "waking/{0}/", "waking/{0}/start", "waking/{0}/cancel"])
def test_no_engine_is_entered(look: Any, sam: User, alice: User, instance: Instance, path: str) -> None:
    client = look(sam, alice)
    for send in (client.get, client.post):
        assert send(f"/gw/{path.format(instance.slug)}").status_code == 403
    assert not AuditEvent.objects.filter(kind="instance.visited").exists()


def test_not_even_with_a_pass_for_the_operators_session(look: Any, sam: User, alice: User, instance: Instance) -> None:
    """What gwauth would make of it, had the portal handed anything over."""
    client = look(sam, alice)
    key = client.session.session_key
    grant = handoff.Grant(instance.slug, alice.pk, handoff.session_digest(key), "0" * 64, "/")
    handoff.issue_code(grant, session_key=key)
    assert look_up(instance.slug, Visitor(alice.pk, grant.session)).verdict == Verdict.SIGNED_OUT


def test_files_logs_and_pictures_are_not_shown(look: Any, sam: User, alice: User, instance: Instance) -> None:
    client = look(sam, alice)
    volume = f"/acme/data/{instance.volume.slug}/"
    page = f"/acme/instances/{instance.slug}/"
    for url in (volume, f"{volume}file/?path={PICTURE}", f"{volume}thumbnail/?path={PICTURE}", f"{page}log/", f"{page}log.txt"):
        assert client.get(url).status_code == 403, url
    shown = "".join(client.get(f"{page}?tab={tab}").content.decode() for tab in ("overview", "log", "files", "data", "timeline"))
    assert PICTURE not in shown
    assert f"{instance.slug}.engines" not in shown
    assert "Secret plans" in shown


def test_the_page_is_what_the_person_sees(look: Any, sam: User, alice: User, anna: User, bob: User, instance: Instance) -> None:
    client = look(sam, alice)
    assert client.get("/acme/team/audit/").status_code == 403  # as for alice
    assert client.get("/bolt/").status_code == 404
    client = look(sam, anna)
    assert client.get("/acme/team/audit/").status_code == 200


# --- Acting -----------------------------------------------------------------------------------------------------------


def test_acting_takes_a_right_and_a_switch_and_is_told_under_both_names(
    look: Any, otto: User, alice: User, instance: Instance
) -> None:
    client = look(otto, alice)
    pause = f"/acme/instances/{instance.slug}/pause/"
    assert client.post(pause).status_code == 403
    assert "/looking/act/" in client.get("/acme/").content.decode()
    assert client.post("/looking/act/").status_code == 302
    assert "You act for <b>alice</b>" in client.get("/acme/").content.decode()
    assert client.post(pause, REMOTE_ADDR="192.0.2.7").status_code == 302
    event = AuditEvent.objects.get(kind="instance.paused")
    assert (event.actor, event.behind, event.via, event.address) == (alice, otto, "portal", "192.0.2.7")
    assert [event.actor for event in told("impersonation.acting")] == [otto]


def test_who_may_only_look_does_not_act(look: Any, sam: User, alice: User, instance: Instance) -> None:
    client = look(sam, alice)
    assert client.post("/looking/act/").status_code == 403
    assert client.post(f"/acme/instances/{instance.slug}/pause/").status_code == 403
    assert not told("impersonation.acting")


def test_who_looks_as_nobody_acts_as_nobody(client: Client, otto: User) -> None:
    client.force_login(otto)
    assert client.post("/looking/act/").status_code == 403
    assert looking.looking_in(client.session) is None


def test_acting_gives_nobody_rights_and_makes_no_secret(look: Any, otto: User, anna: User, instance: Instance) -> None:
    client = look(otto, anna)
    client.post("/looking/act/")
    tokens = ApiToken.objects.count()
    refused = {name for name, _route in ROUTES} - rules.ACTS
    assert {"instance-api", "tenant-api", "instance_share", "instance_hand_over", "webhooks", "webhook_rotate"} <= refused
    for name in refused:
        before = everything_written()
        answer = client.post(address(name, dict(ROUTES)[name], instance), {"name": "mine", "scope": "use", "days": "30"})
        assert answer.status_code == 403, name
        assert everything_written() == before
    assert ApiToken.objects.count() == tokens


def test_acting_is_over_when_looking_is(look: Any, otto: User, alice: User, instance: Instance) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        client = look(otto, alice)
        client.post("/looking/act/")
        clock.shift(timedelta(minutes=30))
        assert client.post(f"/acme/instances/{instance.slug}/pause/").status_code == 302
    instance.refresh_from_db()
    assert instance.desired_state == "running"


def test_acting_does_no_more_than_the_person_may(
    look: Any, otto: User, alice: User, anna: User, acme: Tenant, cluster: Cluster
) -> None:
    of_anna = factories.make_instance(acme, anna, cluster, state=InstanceState.RUNNING)
    client = look(otto, alice)
    client.post("/looking/act/")
    assert client.post(f"/acme/instances/{of_anna.slug}/pause/").status_code == 403
    assert not AuditEvent.objects.filter(kind="instance.paused").exists()


def test_acting_needs_its_right_at_every_request(look: Any, otto: User, alice: User, instance: Instance) -> None:
    client = look(otto, alice)
    client.post("/looking/act/")
    otto.user_permissions.remove(otto.user_permissions.get(codename="act_as"))
    assert client.post(f"/acme/instances/{instance.slug}/pause/").status_code == 403


def test_the_session_keeps_what_json_can_hold(client: Client, sam: User, alice: User) -> None:
    operations.start_looking(operator=sam, person=alice, reason="x", session=client.session, now=timezone.now())
    assert json.dumps(dict(client.session.items()))


def test_a_viewer_is_seen_as_a_viewer(look: Any, sam: User, acme: Tenant) -> None:
    vera = factories.make_user("vera")
    factories.join(vera, acme, Role.VIEWER)
    client = look(sam, vera)
    assert client.get("/acme/launch/").status_code == 403
    assert Membership.objects.filter(user=sam).count() == 0
