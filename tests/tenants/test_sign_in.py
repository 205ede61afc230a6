"""Signing in and out, and who lands where."""

import pytest
from django.test import Client
from django.utils import timezone

from tenants.middleware import TimeZoneMiddleware
from tenants.models import User

pytestmark = pytest.mark.django_db
HOST = {"HTTP_HOST": "portal.localhost:8000"}


@pytest.fixture
def browser() -> Client:
    return Client(**HOST)


def test_an_anonymous_visitor_is_asked_to_sign_in(browser):
    answer = browser.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/")


@pytest.mark.parametrize("login", ["alice", "alice@example.org", "ALICE@example.org"])
def test_sign_in_by_name_or_address(browser, alice, login):
    alice.set_password("a-long-secret")
    alice.save()
    answer = browser.post("/accounts/login/", {"login": login, "password": "a-long-secret"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.get("/")["Location"] == "/acme/"


def test_a_wrong_password_says_so_and_signs_nobody_in(browser, alice):
    alice.set_password("a-long-secret")
    alice.save()
    answer = browser.post("/accounts/login/", {"login": "alice", "password": "wrong"})
    assert answer.status_code == 200
    assert b"not correct" in answer.content
    assert browser.get("/")["Location"] == "/accounts/login/?next=/"


def test_nobody_signs_up_by_themselves(browser):
    answer = browser.post(
        "/accounts/signup/",
        {"email": "eve@example.org", "username": "eve", "password1": "a-long-secret", "password2": "a-long-secret"},
    )
    assert answer.status_code == 200

    assert not User.objects.exists()


def test_somebody_without_a_tenant_is_told_what_to_do(browser, olga):
    browser.force_login(olga, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.get("/").status_code == 200


def test_the_session_cookie_cannot_be_tossed_by_a_sister_host(browser, alice):
    alice.set_password("a-long-secret")
    alice.save()
    cookie = browser.post("/accounts/login/", {"login": "alice", "password": "a-long-secret"}).cookies["__Host-portal"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (
        True,
        True,
        "Lax",
        "",
        "/",
    )


def test_times_are_in_the_persons_zone(browser, alice, acme):

    class Request:
        user = alice

    alice.time_zone = "Asia/Kathmandu"
    assert TimeZoneMiddleware(lambda _: str(timezone.get_current_timezone()))(Request()) == "Asia/Kathmandu"
    alice.time_zone = "Atlantis/Gone"
    assert TimeZoneMiddleware(lambda _: str(timezone.get_current_timezone()))(Request()) == "UTC"
