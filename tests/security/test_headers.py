"""Headers of every answer, cookies, redirects, and what one request may bring."""

import hashlib
import re
from base64 import b64encode
from http.cookies import Morsel

import pytest
from django.conf import settings
from django.test import Client, override_settings

from gateway import answers
from gateway.cookies import NONCE, PASS, set_cookie
from tenants.models import User

PAGES = [
    "/",
    "/acme/",
    "/acme/launch/",
    "/accounts/login/",
    "/admin/",
    "/admin/login/",
    "/nothing/here/",
    "/healthz",
    "/static/js/app.js",
]
UNSAFE = re.compile(r"unsafe-|\*(?!\.)|\bhttps?:(?!//)|data:")


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("signed_in", [False, True])
def test_every_answer_says_what_it_may_be_used_for(
    address: str, signed_in: bool, olga: User, alice: User, client: Client
) -> None:
    if signed_in:
        client.force_login(olga if address.startswith("/admin") else alice)
    answer = client.get(address)
    answer.close()
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    if not address.startswith("/static/"):
        assert answer["X-Frame-Options"] == "DENY"
        assert "no-store" in answer["Cache-Control"]
        assert directives_of(answer["Content-Security-Policy"])["frame-ancestors"] == "'none'"


def directives_of(policy: str) -> dict[str, str]:
    return {name: sources for name, _, sources in (each.strip().partition(" ") for each in policy.split(";"))}


def test_our_pages_run_scripts_by_a_nonce_that_is_new_each_time(alice: User, client: Client) -> None:
    client.force_login(alice)
    nonces = set()
    for _ in range(2):
        page = client.get("/acme/")
        directives = directives_of(page["Content-Security-Policy"])
        nonce = re.fullmatch(r"'nonce-([A-Za-z0-9+/=]{24})'", directives["script-src"])
        assert nonce
        assert re.findall(r"<script[^>]*nonce=\"([^\"]+)\"", page.content.decode()) == [nonce[1]] * 3
        nonces.add(nonce[1])
    assert len(nonces) == 2


@pytest.mark.parametrize("address", ["/acme/", "/admin/", "/accounts/login/"])
def test_no_policy_has_an_unsafe_source(address: str, alice: User, olga: User, client: Client) -> None:
    client.force_login(olga if address == "/admin/" else alice)
    directives = directives_of(client.get(address)["Content-Security-Policy"])
    assert directives["default-src"] == "'none'"
    assert directives.pop("img-src") == "'self' data:"
    assert [each for each in directives.values() if UNSAFE.search(each)] == []


def test_scripts_of_the_admin_come_from_two_places(olga: User, client: Client) -> None:
    client.force_login(olga)
    directives = directives_of(client.get("/admin/")["Content-Security-Policy"])
    assert directives["script-src"] == f"{settings.PORTAL_ORIGIN}/static/ {settings.PORTAL_ORIGIN}/admin/jsi18n/"


def test_a_page_of_the_gateway_names_its_own_style() -> None:
    answer = answers.refused(404, "Nothing here.", state="not visible", page=True)
    policy = dict(answer.headers)[b"content-security-policy"].decode()
    styles = re.findall(r"<style>(.*?)</style>", answer.body.decode())
    digest = b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert (len(styles), directives_of(policy)["style-src"]) == (1, f"'sha256-{digest}'")
    assert "unsafe" not in policy


def test_no_cookie_can_be_set_by_another_host(alice: User, client: Client) -> None:
    alice.set_password("correct horse battery")
    alice.save()
    client.post("/accounts/login/", {"login": "alice", "password": "correct horse battery"})
    client.post("/i18n/setlang/", {"language": "zh-hans"})
    cookies: list[Morsel[str]] = list(client.cookies.values())
    assert {cookie.key for cookie in cookies} == {"__Host-portal", "__Host-language"}
    for cookie in cookies:
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")


@pytest.mark.parametrize("name", [PASS, NONCE])
def test_nor_can_the_gateways(name: str) -> None:
    assert name.startswith("__Host-")
    assert set_cookie(name, "x", max_age=5) == f"{name}=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=5"


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    r"/\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "https:///evil",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_sent_elsewhere_after_signing_in_or_choosing_a_language(target: str, alice: User, client: Client) -> None:
    alice.set_password("correct horse battery")
    alice.save()
    signed_in = client.post("/accounts/login/", {"login": "alice", "password": "correct horse battery", "next": target})
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/")
    chosen = client.post("/i18n/setlang/", {"language": "en", "next": target})
    assert (chosen.status_code, chosen["Location"]) == (302, "/")
    left = client.post("/accounts/logout/", {"next": target})
    assert (left.status_code, left["Location"]) == (302, "/accounts/signed-out/")


def test_a_request_cannot_bring_more_than_it_may(alice: User, client: Client) -> None:
    client.force_login(alice)
    fields = {f"field{number}": "x" for number in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)}
    assert client.post("/acme/launch/", fields).status_code == 400
    assert client.post("/acme/launch/", {"name": "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)}).status_code == 400


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_SSL_HOST="portal.example.com", SECURE_HSTS_SECONDS=31_536_000)
def test_without_tls_there_are_only_probes(db: None) -> None:
    client = Client()
    assert client.get("/acme/?x=1")["Location"] == "https://portal.example.com/acme/?x=1"
    assert client.get("/healthz").status_code == 200
    assert "Strict-Transport-Security" not in client.get("/healthz")
    assert client.get("/acme/", headers={"X-Forwarded-Proto": "https"})["Strict-Transport-Security"].startswith(
        "max-age=31536000"
    )
