"""Who is let in, and how soon somebody no longer is."""

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from engines.models import Instance
from gateway import handoff
from gateway.standing import Standing, Verdict, Visitor, look_up
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.driving import wait_until
from tests.gateway.conftest import portal_client

# What is remembered for two seconds is forgotten well within this, also on a busy machine.
SOON_SECONDS = 10


def test_a_pass_opens_nothing_of_another_tenant(gateway, instance, signed_in, bob_client, make_instance):
    bob = User.objects.get(username="bob")
    assert gateway.call(instance, cookie=signed_in).status == 200
    own = make_instance(tenant=bob.tenants.get(), owner=bob)
    cookie_of_bob = gateway.sign_in(bob_client, own)
    assert gateway.call(own, cookie=cookie_of_bob).status == 200
    assert gateway.call(instance, cookie=cookie_of_bob).status == 401
    assert gateway.call(own, cookie=signed_in).status == 401


@pytest.mark.parametrize(
    ("role", "shared"), [(Role.OWNER, 302), (Role.ADMIN, 302), (Role.MEMBER, 302), (Role.FINANCE, 403), (Role.VIEWER, 403)]
)
@pytest.mark.parametrize("with_everybody", [False, True])
def test_a_share_lets_in_whose_role_allows_it_and_nothing_else_does(make_row, acme, role, shared, with_everybody):
    user, instance = factories.make_user("carol"), make_row()
    factories.join(user, acme, role)
    client = portal_client(user)
    assert client.get(authorize_path(instance)).status_code == 403
    factories.share(instance, None if with_everybody else user)
    assert client.get(authorize_path(instance)).status_code == shared


def test_an_operator_who_is_no_member_is_not_let_in(make_row, olga):
    assert portal_client(olga).get(authorize_path(make_row())).status_code == 404


def authorize_path(instance: Instance) -> str:
    return f"/gw/authorize?instance={instance.slug}&n={'0' * 64}&rd=/"


def change_password(user: User) -> None:
    user.set_password("another-long-one")
    user.save()


ENDS = {
    "session deleted": (lambda: Session.objects.all().delete(), Verdict.SIGNED_OUT),
    "password changed": (lambda: change_password(User.objects.get(username="alice")), Verdict.SIGNED_OUT),
    "person inactive": (lambda: User.objects.update(is_active=False), Verdict.SIGNED_OUT),
    "membership removed": (lambda: Membership.objects.all().delete(), Verdict.NOT_VISIBLE),
    "role lowered": (lambda: Membership.objects.update(role=Role.VIEWER), Verdict.NOT_ALLOWED),
    "tenant suspended": (lambda: Tenant.objects.update(suspended_at=timezone.now()), Verdict.NOT_ALLOWED),
    "instance deleted": (lambda: Instance.objects.update(state="deleted"), Verdict.NOT_VISIBLE),
    "instance paused": (lambda: Instance.objects.update(state="stopped"), Verdict.RESTING),
}


@pytest.mark.parametrize(("end", "verdict"), ENDS.values(), ids=ENDS)
def test_the_database_is_asked_for_every_right(make_row, alice, alice_client, end, verdict):
    instance = make_row()
    assert alice_client.get(authorize_path(instance)).status_code == 302
    visitor = Visitor(alice.pk, handoff.session_digest(alice_client.session.session_key))
    assert look_up(instance.slug, visitor) == Standing(Verdict.RUNNING, upstream=instance.upstream)
    end()
    assert look_up(instance.slug, visitor).verdict == verdict


@pytest.mark.parametrize(
    ("end", "page", "call"),
    [
        (lambda portal: portal.post("/accounts/logout/"), 302, 401),
        (lambda _portal: Membership.objects.all().delete(), 404, 404),
    ],
    ids=["signed out", "membership removed"],
)
def test_a_right_that_ends_ends_open_visits_soon(gateway, instance, alice_client, signed_in, end, page, call):  # noqa: PLR0917
    assert gateway.call(instance, cookie=signed_in).status == 200
    end(alice_client)
    wait_until(lambda: gateway.call(instance, cookie=signed_in).status == call, seconds=SOON_SECONDS)
    assert gateway.visit(instance, cookie=signed_in).status == page


def test_a_page_that_was_resting_is_read_anew(gateway, instance, signed_in):
    """Whoever comes from the waking page is never sent back by what gwauth remembers."""
    Instance.objects.filter(pk=instance.pk).update(state="stopped")
    wait_until(lambda: gateway.call(instance, cookie=signed_in).status == 503, seconds=SOON_SECONDS)
    Instance.objects.filter(pk=instance.pk).update(state="running")
    assert gateway.visit(instance, cookie=signed_in).status == 200


def test_an_engine_that_moved_is_not_looked_for_at_its_old_place(gateway, instance, signed_in):
    assert gateway.call(instance, cookie=signed_in).status == 200
    Instance.objects.filter(pk=instance.pk).update(upstream=f"127.0.0.1:{gateway.free_engine_port}")
    wait_until(lambda: gateway.call(instance, cookie=signed_in).status == 503, seconds=SOON_SECONDS)
    answer = gateway.call(instance, cookie=signed_in)
    assert (answer["Retry-After"], answer["Refresh"]) == ("3", None)
    assert gateway.visit(instance, cookie=signed_in)["Refresh"] == "3"  # somebody who sees it need not press reload
    assert answer.body == b"The engine does not answer at the moment. Reload this page in a few seconds."


def test_nothing_but_an_engine_can_be_dialled(gateway, make_instance, alice_client):
    for upstream in ("169.254.169.254:80", "127.0.0.1:22", f"127.0.0.1:{gateway.port}", "evil.example:20000"):
        instance = make_instance(upstream=upstream)
        answer = gateway.call(instance, cookie=gateway.sign_in(alice_client, instance))
        assert (answer.status, answer.body) == (502, b"bad upstream")


@pytest.mark.parametrize("name", ["", "%00", "bcdfghjkmn%00", "i-bcdfghjkmn"])
def test_what_is_no_instances_name_is_not_there(alice_client, name):
    assert alice_client.get(f"/gw/authorize?instance={name}&n={'0' * 64}&rd=/").status_code == 404
