"""The list of sessions, and ending them."""

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.test import Client

from tenants.audit.models import AuditEvent
from tenants.models import User
from tenants.rights import EVERYTHING, gateway_channel
from tests import factories
from tests.tenants.sign_in.conftest import is_signed_in

PASSWORD = "a-long-secret"


def sign_in(browser: Client, user: User) -> None:
    user.set_password(PASSWORD) if not user.has_usable_password() else None
    user.save()
    browser.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
    assert is_signed_in(browser)


@pytest.fixture
def two(browser, another_browser, alice) -> tuple[Client, Client]:
    sign_in(browser, alice)
    sign_in(another_browser, alice)
    return browser, another_browser


def session_of(browser: Client) -> UserSession:
    return UserSession.objects.get(session_key=browser.session.session_key)


def test_the_list_names_them(two):
    page = two[0].get("/accounts/sessions/").content.decode()
    assert "Firefox on Linux" in page
    assert "a browser" in page
    assert page.count("127.0.0.1") == 2
    assert page.count("this one") == 1


def test_one_session_ends(two, valkey, django_capture_on_commit_callbacks):
    listening = valkey.pubsub()
    listening.subscribe(gateway_channel())
    assert listening.get_message(timeout=5)["type"] == "subscribe"
    with django_capture_on_commit_callbacks(execute=True):
        two[0].post(f"/accounts/sessions/{session_of(two[1]).pk}/end/")
    assert [is_signed_in(each) for each in two] == [True, False]
    assert listening.get_message(timeout=5)["data"].decode() == EVERYTHING
    listening.close()
    event = AuditEvent.objects.get(kind="account.sessions_ended")
    assert (event.actor.username, event.details) == ("alice", {"number": 1, "why": "revoked"})


def test_all_others_end(two):
    two[0].post("/accounts/sessions/")
    assert [is_signed_in(each) for each in two] == [True, False]
    assert AuditEvent.objects.filter(kind="account.sessions_ended").count() == 1


def test_the_present_one_ends_as_by_signing_out(two):
    answer = two[0].post(f"/accounts/sessions/{session_of(two[0]).pk}/end/")
    assert answer["Location"] == "/accounts/signed-out/"
    assert [is_signed_in(each) for each in two] == [False, True]


def test_nobody_ends_somebody_else_s(two, alice):
    stranger = Client(HTTP_HOST=settings.PORTAL_HOST)
    sign_in(stranger, factories.make_user("eve"))
    assert stranger.post(f"/accounts/sessions/{session_of(two[0]).pk}/end/").status_code == 404
    assert is_signed_in(two[0])


def test_a_look_ends_nothing(two):
    assert two[0].get(f"/accounts/sessions/{session_of(two[1]).pk}/end/").status_code == 405
