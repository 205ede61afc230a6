import re
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from gateway import handoff
from gateway.cookies import NONCE, PASS
from tests.gateway.conftest import portal_client


def codes(settings) -> list[str]:
    return handoff.valkey().keys(f"{settings.REDIS_PREFIX}:gw:*")


def without_csrf_token(page: bytes) -> bytes:
    """The token is masked anew in every page, and scripts have a nonce of its own."""
    return re.sub(rb'[A-Za-z0-9]{64}|(?<=nonce=")[^"]+', b"", page)


def test_a_visitor_comes_through_the_portal_to_the_page_that_was_asked_for(gateway, instance, alice_client):
    first = gateway.visit(instance, "/x?y=1")
    assert first.status == 302
    location = urlsplit(first["Location"])
    query = parse_qs(location.query)
    assert (location.netloc, location.path) == (gateway.portal_host, "/gw/authorize")
    nonce = first.set_cookies[NONCE]
    assert query == {"instance": [instance.slug], "n": [handoff.digest(nonce)], "rd": ["/x?y=1"]}
    assert first.all("Set-Cookie") == [f"{NONCE}={nonce}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=300"]

    second = alice_client.get(f"/gw/authorize?{location.query}")
    assert second.status_code == 302
    assert second["Referrer-Policy"] == "no-referrer"
    callback = urlsplit(second["Location"])
    assert (callback.scheme, callback.netloc, callback.path) == ("http", gateway.host(instance), "/.aigc/callback")

    third = gateway.visit(instance, f"{callback.path}?{callback.query}", cookie=f"{NONCE}={nonce}")
    assert (third.status, third["Location"]) == (303, "/x?y=1")
    passport = third.set_cookies[PASS]
    assert third.all("Set-Cookie") == [f"{PASS}={passport}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=7200"]

    fourth = gateway.visit(instance, "/x?y=1", cookie=f"{PASS}={passport}; {NONCE}={nonce}; own=1")
    assert fourth.status == 200
    assert fourth.json()["target"] == "/x?y=1"
    assert fourth.seen["cookie"] == "own=1"
    assert not [name for name in fourth.seen if name.startswith("x-aigc")]


def test_a_stranger_gets_the_same_404_as_for_an_unknown_instance_and_nothing_is_written(gateway, instance, bob_client, settings):
    _nonce, portal_path = gateway.begin(instance)
    refused = bob_client.get(portal_path)
    unknown = bob_client.get(portal_path.replace(instance.slug, "bcdfghjkmn"))
    assert (refused.status_code, unknown.status_code) == (404, 404)
    # The page's language switch leads back to the address that was asked for, and nothing else tells the two apart.
    asked_for = without_csrf_token(unknown.content).replace(b"bcdfghjkmn", instance.slug.encode())
    assert without_csrf_token(refused.content) == asked_for
    assert codes(settings) == []


def test_somebody_who_is_not_signed_in_signs_in_first(gateway, instance, settings):
    _nonce, portal_path = gateway.begin(instance)
    answer = portal_client(None).get(portal_path)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")
    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == [portal_path]
    assert codes(settings) == []


@pytest.mark.parametrize("nonce_digest", ["", "x", "0" * 63, "G" * 64])
def test_a_request_without_a_browsers_nonce_is_refused(make_row, alice_client, settings, nonce_digest):
    assert alice_client.get(f"/gw/authorize?instance={make_row().slug}&n={nonce_digest}&rd=/").status_code == 400
    assert codes(settings) == []


def test_authorizing_is_a_get(gateway, instance, alice_client, settings):
    _nonce, portal_path = gateway.begin(instance)
    assert alice_client.post(portal_path).status_code == 405
    assert codes(settings) == []


def test_a_code_is_good_once(gateway, instance, alice_client):
    nonce, portal_path = gateway.begin(instance)
    callback = gateway.authorize(alice_client, portal_path)
    assert gateway.visit(instance, callback, cookie=nonce).status == 303
    again = gateway.visit(instance, callback, cookie=nonce)
    assert again.status == 400
    assert again.all("Set-Cookie") == []


def test_a_stolen_code_is_worth_nothing_in_another_browser_and_is_spent(gateway, instance, alice_client):
    for cookie_of_thief in ("", f"{NONCE}={'x' * 43}"):
        nonce, portal_path = gateway.begin(instance)
        callback = gateway.authorize(alice_client, portal_path)
        assert gateway.visit(instance, callback, cookie=cookie_of_thief).status == 400
        assert gateway.visit(instance, callback, cookie=nonce).status == 400


def test_a_code_for_one_instance_opens_no_other(gateway, make_instance, instance, alice_client):
    nonce, portal_path = gateway.begin(instance)
    callback = gateway.authorize(alice_client, portal_path)
    assert gateway.visit(make_instance(), callback, cookie=nonce).status == 400


def test_a_code_lives_half_a_minute(gateway, instance, alice_client, settings):
    _nonce, portal_path = gateway.begin(instance)
    gateway.authorize(alice_client, portal_path)
    lives = {name.rsplit(":", 2)[1]: handoff.valkey().ttl(name) for name in codes(settings)}
    assert 25 <= lives["code"] <= 30
    assert lives["session"] > 12 * 3600 - 5


def test_two_tabs_may_sign_in_at_once(gateway, instance, alice_client):
    nonce, first_path = gateway.begin(instance, "/one")
    second = gateway.visit(instance, "/two", cookie=nonce)
    assert f"{NONCE}={second.set_cookies[NONCE]}" == nonce
    second_path = second["Location"].removeprefix(f"http://{gateway.portal_host}")
    callbacks = [gateway.authorize(alice_client, path) for path in (first_path, second_path)]
    answers = [gateway.visit(instance, callback, cookie=nonce) for callback in callbacks]
    assert [(answer.status, answer["Location"]) for answer in answers] == [(303, "/one"), (303, "/two")]


def test_the_way_back_stays_on_the_engine(gateway, instance, alice_client):
    for path in ("//evil.example", "/\\evil.example", "https://evil.example"):
        nonce, portal_path = gateway.begin(instance)
        query = urlencode({**dict(parse_qsl(urlsplit(portal_path).query)), "rd": path})
        callback = gateway.authorize(alice_client, f"/gw/authorize?{query}")
        assert gateway.visit(instance, callback, cookie=nonce)["Location"] == "/"


def test_an_instance_that_does_not_run_leads_to_the_waking_page_without_a_code(gateway, make_instance, alice_client, settings):
    instance = make_instance(state="stopped", desired_state="stopped")
    _nonce, portal_path = gateway.begin(instance, "/x?y=1")
    answer = alice_client.get(portal_path)
    assert (answer.status_code, answer["Location"]) == (302, f"/gw/waking/{instance.slug}/?rd=%2Fx%3Fy%3D1")
    assert codes(settings) == []


def test_signing_out_of_an_engine_drops_its_pass(gateway, instance, signed_in):
    answer = gateway.visit(instance, "/.aigc/sign-out", cookie=signed_in)
    assert (answer.status, answer["Location"]) == (303, f"http://{gateway.portal_host}/")
    assert answer.all("Set-Cookie") == [f"{PASS}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"]


# With a pass, and without.
PATHS = {
    "/.aigc": (404, 404),
    "/.aigc/": (404, 404),
    "/.aigc/other": (404, 404),
    "/.aigc/callback": (400, 400),
    "/%2eaigc/callback": (400, 400),
    "/x/../.aigc/callback": (404, 404),
    "//.aigc/callback": (404, 404),
    "/.AIGC/callback": (404, 404),
    "/.aigc/../x": (200, 401),
    "/.aigc/x/../../_gw/auth": (200, 401),
    "/_gw/auth": (200, 401),
}


def test_confusing_paths_gain_nothing(gateway, instance, signed_in):
    """They reach the engine, which needs the pass like any other path, or gwauth, which knows only its own two."""
    answers = {path: (gateway.visit(instance, path, cookie=signed_in), gateway.call(instance, path)) for path in PATHS}
    assert {path: tuple(answer.status for answer in pair) for path, pair in answers.items()} == PATHS
    assert {answer["X-Aigc-Upstream"] for pair in answers.values() for answer in pair} == {None}


def test_the_platforms_paths_take_only_get(gateway, instance, signed_in):
    for path in ("/.aigc/callback?code=x", "/.aigc/sign-out"):
        assert gateway.call(instance, path, cookie=signed_in, method="POST").status == 405
