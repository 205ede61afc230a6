"""A visit is recorded where the portal hands a visitor over: once in a session, and never for who is refused."""

from aigc_portal.token_secrets import digest
from engines.models import Instance
from gateway.api_tokens.waking import _wake
from gateway.models import ApiToken
from tenants.audit.models import AuditEvent
from tenants.models import User
from tests.gateway.conftest import portal_client
from tests.gateway.test_access import authorize_path


def visits() -> list[tuple[str, str, str, str | None]]:
    events = AuditEvent.objects.filter(kind="instance.visited").order_by("pk")
    return [(event.actor.username, event.subject_id, event.via, event.address) for event in events]


def test_the_first_visit_of_each_session_is_recorded(make_row, alice: User) -> None:
    dragon, wyvern = make_row(), make_row()
    first, second = portal_client(alice), portal_client(alice)
    for client in (first, first, second):
        for instance in (dragon, wyvern):
            assert client.get(authorize_path(instance), REMOTE_ADDR="192.0.2.7").status_code == 302
    once = [("alice", dragon.slug, "gateway", "192.0.2.7"), ("alice", wyvern.slug, "gateway", "192.0.2.7")]
    assert visits() == once * 2


def test_who_is_refused_has_not_visited(make_row, bob: User, anna: User, olga: User) -> None:
    instance = make_row()
    for user in (bob, anna, olga):
        assert portal_client(user).get(authorize_path(instance)).status_code in {403, 404}
    assert visits() == []


def test_waiting_for_an_engine_is_not_a_visit(make_row, alice: User) -> None:
    instance = make_row(state="stopped", desired_state="stopped")
    assert "waking" in portal_client(alice).get(authorize_path(instance))["Location"]
    assert visits() == []


def test_a_program_that_wakes_an_engine_is_named_by_its_token(make_row, make_token, alice: User) -> None:
    instance = make_row(state="stopped", desired_state="stopped")
    made = make_token(instance, scope=ApiToken.Scope.WAKE)
    _wake(instance.slug, digest(made.secret))
    event = AuditEvent.objects.get(kind="instance.resumed")
    assert (event.actor, event.via, event.token) == (alice, "gateway", made.token.key_id)
    assert Instance.objects.get(pk=instance.pk).desired_state == "running"
