"""A person's own account: password, address, profile, and how often anything may be tried."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail

from tenants.audit.models import AuditEvent
from tests.tenants.sign_in.conftest import PASSWORD, is_signed_in

NEW = "another-long-secret"


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def link_in(message: mail.EmailMessage) -> str:
    [path] = re.findall(r"https?://[^/\s]+(/accounts/\S+)", str(message.body))
    return str(path)


def test_coming_and_going_is_written_down(browser, alice):
    browser.post("/accounts/login/", {"login": "alice", "password": "wrong"})
    browser.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
    browser.post("/accounts/logout/")
    failed, came, went = AuditEvent.objects.order_by("pk")
    assert (failed.kind, failed.actor, failed.subject_name) == ("account.sign_in_failed", None, "alice")
    assert failed.details == {"method": "password", "why": "wrong password"}
    assert (came.kind, came.actor, came.address) == ("account.signed_in", alice, "192.0.2.7")
    assert came.details == {"method": "password"}
    assert (went.kind, went.actor) == ("account.signed_out", alice)


def test_what_was_typed_for_nobody_is_not_kept(browser, alice):
    browser.post("/accounts/login/", {"login": PASSWORD, "password": "alice"})
    event = AuditEvent.objects.get()
    assert (event.subject_name, event.subject_id) == ("", "")
    assert PASSWORD not in str(event.details)


def test_an_address_that_an_operator_gave_is_verified(browser, alice):
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert is_signed_in(browser)
    assert EmailAddress.objects.get().verified


def test_an_address_that_somebody_gave_is_verified_first(browser, alice):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=False, primary=True)
    answer = browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert answer["Location"] == "/accounts/confirm-email/"
    assert not is_signed_in(browser)
    browser.post(link_in(mail.outbox[0]))
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert is_signed_in(browser)


def test_a_new_address_counts_when_it_is_verified(signed_in, alice):
    signed_in.post("/accounts/email/", {"action_add": "", "email": "alice@new.example"})
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    assert mail.outbox[-1].to == ["alice@new.example"]
    signed_in.post(link_in(mail.outbox[-1]))
    alice.refresh_from_db()
    assert alice.email == "alice@new.example"
    assert EmailAddress.objects.get().email == "alice@new.example"
    assert "account.address_changed" in kinds()


def test_changing_the_address_asks_who_is_there(browser, alice):
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    answer = browser.post("/accounts/email/", {"action_add": "", "email": "alice@new.example"})
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert mail.outbox == []


def test_a_new_password_ends_other_sessions(signed_in, another_browser, alice):
    another_browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    signed_in.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert [is_signed_in(signed_in), is_signed_in(another_browser)] == [True, False]
    assert "account.password_changed" in kinds()
    assert "password" in mail.outbox[-1].body.lower()
    assert mail.outbox[-1].to == ["alice@example.org"]


def test_a_forgotten_password(browser, alice):
    answer = browser.post("/accounts/password/reset/", {"email": "alice@example.org"})
    assert answer["Location"] == "/accounts/password/reset/done/"
    [message] = mail.outbox
    assert message.subject == "[AIGC Portal] Set a new password"
    assert "Somebody has asked for a new password of alice" in message.body
    form = browser.get(link_in(message), follow=True)
    assert "A new password signs you out everywhere else." in form.content.decode()
    done = browser.post(form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}, follow=True)
    assert "Your password is changed" in done.content.decode()
    assert "This link does not hold any more" in browser.get(link_in(message), follow=True).content.decode()
    browser.post("/accounts/login/", {"login": "alice", "password": NEW})
    assert is_signed_in(browser)
    assert "account.password_reset" in kinds()


def test_nobody_learns_whose_address_it_is(browser, alice):
    known = browser.post("/accounts/password/reset/", {"email": "alice@example.org"})
    unknown = browser.post("/accounts/password/reset/", {"email": "nobody@example.org"})
    assert (unknown.status_code, unknown["Location"]) == (known.status_code, known["Location"])
    assert len(mail.outbox) == 1


def test_a_mail_server_that_is_away_breaks_nothing(browser, alice, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    answer = browser.post("/accounts/password/reset/", {"email": "alice@example.org"}, follow=True)
    assert answer.status_code == 200
    assert "The mail could not be sent" in answer.content.decode()


def test_a_service_does_not_sign_in_whatever_password_it_was_given(browser, alice):
    alice.is_service = True
    alice.set_password(PASSWORD)
    alice.save()
    answer = browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, follow=True)
    assert not is_signed_in(browser)
    assert "A service works by its token and cannot sign in." in answer.content.decode()
    assert AuditEvent.objects.get(kind="account.sign_in_failed").details == {"method": "password", "why": "a service"}


class TestLimits:
    def test_five_wrong_passwords_for_an_account(self, browser, another_browser, alice):
        for _ in range(5):
            browser.post("/accounts/login/", {"login": "alice", "password": "wrong"})
        answer = another_browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
        assert b"Too many failed login attempts" in answer.content
        assert not is_signed_in(another_browser)

    def test_twenty_wrong_passwords_from_an_address(self, browser, alice):
        for number in range(20):
            browser.post("/accounts/login/", {"login": f"nobody-{number}", "password": "wrong"}, REMOTE_ADDR="192.0.2.7")
        refused = browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
        assert b"Too many failed login attempts" in refused.content
        browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, REMOTE_ADDR="192.0.2.8")
        assert is_signed_in(browser)

    def test_mails_for_one_account(self, browser, alice):
        for _ in range(8):
            browser.post("/accounts/password/reset/", {"email": "alice@example.org"})
        assert len(mail.outbox) == 5

    def test_they_are_counted_where_all_processes_see_it(self, browser, alice, valkey):
        browser.post("/accounts/login/", {"login": "alice", "password": "wrong"})
        assert [name for name in valkey.keys("test*:cache:*") if b"login_failed" in name]


def test_the_profile(signed_in, alice):
    page = signed_in.get("/accounts/profile/")
    assert '<option value="" selected>As the browser asks</option>' in page.content.decode()
    changes = {"first_name": "Alice", "last_name": "Liddell", "time_zone": "Europe/Berlin", "language": "zh-hans"}
    answer = signed_in.post("/accounts/profile/", changes)
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.first_name, alice.last_name, alice.time_zone, alice.language) == (
        "Alice",
        "Liddell",
        "Europe/Berlin",
        "zh-hans",
    )
    assert signed_in.cookies["__Host-language"].value == "zh-hans"
    assert (alice.username, alice.is_staff) == ("alice", False)


def test_a_profile_that_cannot_be(signed_in, alice):
    answer = signed_in.post("/accounts/profile/", {"time_zone": "Mars/Olympus", "username": "root", "is_staff": "on"})
    assert answer.status_code == 422
    alice.refresh_from_db()
    assert (alice.time_zone, alice.username, alice.is_staff) == ("UTC", "alice", False)


class TestWithoutPasswords:
    """AIGC_LOCAL_SIGN_IN=off."""

    @pytest.fixture(autouse=True)
    def off(self, settings, double, described, configure) -> None:
        settings.LOCAL_SIGN_IN = False
        configure(described)

    def test_a_password_opens_nothing(self, browser, alice):
        answer = browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, follow=True)
        assert not is_signed_in(browser)
        assert "Sign in with your organisation’s account." in answer.content.decode()
        assert AuditEvent.objects.get().details == {"method": "password", "why": "local sign-in is off"}

    def test_operators_keep_their_way_in(self, browser, olga):
        olga.set_password(PASSWORD)
        olga.save()
        assert b'type="password"' in browser.get("/accounts/login/?operator").content
        browser.post("/accounts/login/?operator", {"login": "olga", "password": PASSWORD})
        assert is_signed_in(browser)

    def test_the_page_shows_the_provider_alone(self, browser):
        page = browser.get("/accounts/login/").content
        assert b"Sign in with Double" in page
        assert b'type="password"' not in page

    def test_no_mail_resets_a_password(self, browser, alice):
        browser.post("/accounts/password/reset/", {"email": "alice@example.org"})
        assert mail.outbox == []
