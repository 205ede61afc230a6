"""The rules by which gwauth judges a request, in their order, asked through the gateway as browsers and others would."""

import time

import httpx

from engines.states import InstanceState
from gateway.cookies import NONCE, PASS
from gateway.tokens import Keyring, Token
from tests.gateway.driving import NAVIGATION, SCRIPT


def test_rule_1_only_the_gateway_may_ask_gwauth(gateway, instance, signed_in):
    headers = {"Host": gateway.host(instance), "Cookie": signed_in, "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/"}
    for secret in ({}, {"X-Aigc-Gw": "guess"}):
        answer = httpx.get(f"{gateway.auth_address}/_gw/auth", headers=headers | NAVIGATION | secret)
        assert (answer.status_code, answer.json()["state"]) == (403, "refused")
        assert "x-aigc-upstream" not in answer.headers


HOSTS = {
    "{slug}.engines.localhost": 404,  # another port
    "x{slug}.{domain}": 404,
    "short.{domain}": 404,
    "{slug}.{domain}.evil.example": 404,  # what follows the colon is no port
    "{slug}.{slug}.{domain}": 421,
    "{domain}": 421,
    "{slug}.engines.localhost.evil.example:{port}": 421,
    "evil-{domain}": 421,
    "{slug}.evil.example": 421,
    "127.0.0.1:{port}": 421,
    "[::1]:{port}": 421,
    "169.254.169.254": 421,
}


def test_rule_1_a_host_is_matched_exactly(gateway, instance, signed_in):
    def status(host: str) -> int:
        name = host.format(slug=instance.slug, domain=gateway.domain, port=gateway.port)
        return gateway.send(name, headers=NAVIGATION | {"Cookie": signed_in}).status

    assert {host: status(host) for host in HOSTS} == HOSTS


def test_rule_1_an_owned_address_elsewhere_in_the_request_opens_nothing(gateway, make_instance, instance, signed_in):
    victim = make_instance()
    own = f"http://{gateway.host(instance)}"
    answer = gateway.call(victim, f"/?x={own}", cookie=signed_in, Origin=own, X_Original_Url=own, X_Forwarded_Host=own)
    assert answer.status == 401


def test_rule_2_with_an_api_token_no_cookie_counts(gateway, instance, signed_in):
    answer = gateway.call(instance, cookie=signed_in, Authorization="Bearer aigc_1abc")
    assert (answer.status, answer.json()["state"]) == (401, "signed_out")


def test_rule_2_the_engines_own_authorization_reaches_it(gateway, instance, signed_in):
    answer = gateway.call(instance, cookie=signed_in, Authorization="Basic b3duOnNlY3JldA==")
    assert answer.seen["authorization"] == "Basic b3duOnNlY3JldA=="


def test_rule_3_service_workers_are_refused(gateway, instance, signed_in):
    assert gateway.call(instance, "/sw.js", cookie=signed_in, Service_Worker="script").status == 403


def test_rule_4_doubled_cookies_are_refused(gateway, instance, signed_in):
    for name in (PASS, NONCE):
        assert gateway.visit(instance, cookie=f"{signed_in}; {name}=a; {name}=b").status == 400
    two_headers = [*SCRIPT.items(), ("Cookie", signed_in), ("Cookie", f"{PASS}=other")]
    assert gateway.send(gateway.host(instance), headers=two_headers).status == 400


SISTER = "http://bcdfghjkmn.{domain}"
OWN = "http://{host}"


CALLS = [
    ("GET", {}, 200),
    ("POST", {"Origin": OWN}, 200),
    ("POST", {"Origin": OWN, **SCRIPT}, 200),
    ("GET", {"Origin": SISTER}, 403),
    ("POST", {"Origin": SISTER}, 403),
    ("POST", {"Origin": "null"}, 403),
    ("POST", {"Origin": "https://{host}"}, 403),
    ("GET", {"Origin": OWN + ".evil.example"}, 403),
    ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
    ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-site"}, 403),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}, 200),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-site"}, 200),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "embed"}, 403),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}, 200),
    ("OPTIONS", {"Origin": SISTER, "Access-Control-Request-Method": "POST"}, 403),
]


def test_rule_5_only_the_engines_own_pages_may_call_it(gateway, instance, signed_in):
    host = gateway.host(instance)
    for method, headers, status in CALLS:
        filled = {name: value.format(host=host, domain=gateway.domain) for name, value in headers.items()}
        answer = gateway.send(host, "/prompt", method, filled | {"Cookie": signed_in})
        assert answer.status == status, (method, headers)
        assert status == 403 or answer.json()["method"] == method


def test_rule_6_without_a_pass_a_page_goes_through_the_portal_and_a_script_does_not(gateway, instance):
    assert gateway.visit(instance).status == 302
    for method in ("GET", "POST"):
        answer = gateway.call(instance, method=method)
        assert (answer.status, answer["Content-Type"]) == (401, "application/json")
        assert answer.json() == {"state": "signed_out", "message": "Sign in at the portal, then reload this page."}
        assert answer.all("Set-Cookie") == []
    assert gateway.send(gateway.host(instance)).status == 401  # neither browser nor cookie
    assert gateway.visit(instance, Sec_Fetch_Dest="iframe").status == 401


def forge(gateway, instance, user, **changes) -> str:
    fields = {"slug": instance.slug, "user_id": user.pk, "session": "0" * 16, "born_at": 0, "expires_at": int(time.time()) + 60}
    return Keyring(changes.pop("keys")).sign(Token(**fields | changes))


def test_rule_6_a_pass_counts_only_if_genuine_fresh_and_for_this_instance(
    gateway, make_instance, instance, alice, signed_in, settings
):
    session = Keyring(settings.GATEWAY_KEYS).read(signed_in.partition("=")[2], slug=instance.slug, now=0).session
    newest, older = settings.GATEWAY_KEYS
    good = {"keys": [newest], "session": session}
    assert gateway.call(instance, cookie=f"{PASS}={forge(gateway, instance, alice, **good)}").status == 200
    assert gateway.call(instance, cookie=f"{PASS}={forge(gateway, instance, alice, **good | {'keys': [older]})}").status == 200
    for change in (
        {"keys": ["3:" + "unknown" * 8]},
        {"keys": ["2:" + "unknown" * 8]},
        {"expires_at": int(time.time()) - 1},
        {"slug": make_instance().slug},
        {"user_id": alice.pk + 1000},
        {"session": "f" * 16},
    ):
        cookie = f"{PASS}={forge(gateway, instance, alice, **good | change)}"
        assert gateway.call(instance, cookie=cookie).status == 401, change
    genuine = signed_in.partition("=")[2]
    for damaged in ("", "v1", "v1.2.x", genuine[:-1], genuine + "x", genuine.replace("v1.", "v2."), "a.b.c.d", "ü" * 9):
        assert gateway.call(instance, cookie=f"{PASS}={damaged}").status == 401, damaged


def test_rule_6_an_unprefixed_cookie_that_a_sister_tossed_is_no_pass(gateway, instance, signed_in):
    value = signed_in.partition("=")[2]
    assert gateway.call(instance, cookie=f"aigc_s={value}; __Secure-aigc_s={value}; __host-aigc_s={value}").status == 401


def test_rule_7_an_engine_that_does_not_run_shows_the_waking_page(gateway, make_instance, alice_client):
    for state, wish, seconds, message in (
        (InstanceState.QUEUED, "running", "10", "{name} is starting."),
        (InstanceState.STARTING, "running", "10", "{name} is starting."),
        (InstanceState.STOPPED, "stopped", "60", "{name} is paused."),
        (InstanceState.FAILED, "stopped", "60", "{name} could not run."),
        (InstanceState.STOPPING, "stopped", "60", "{name} is stopping."),
        (InstanceState.STOPPING, "running", "10", "{name} is starting."),
        (InstanceState.DELETING, "deleted", "60", "{name} is being deleted."),
    ):
        instance = make_instance()
        cookie = gateway.sign_in(alice_client, instance)
        type(instance).objects.filter(pk=instance.pk).update(state=state, desired_state=wish)
        page = gateway.visit(instance, "/deep?link=1", cookie=cookie)
        waking = f"http://{gateway.portal_host}/gw/waking/{instance.slug}/?rd=%2Fdeep%3Flink%3D1"
        assert (page.status, page["Location"]) == (302, waking)
        call = gateway.call(instance, "/prompt", cookie=cookie, method="POST")
        assert (call.status, call["Retry-After"]) == (503, seconds)
        assert call.json() == {"state": state, "message": message.format(name=instance.name)}


def test_rule_8_the_engine_gets_the_request_without_anything_of_ours(gateway, instance, signed_in):
    answer = gateway.call(instance, "/prompt", cookie=f"a=1; {signed_in}; b=2", method="POST")
    assert answer.status == 200
    assert answer.seen["cookie"] == "a=1; b=2"
    assert answer.seen["host"] == gateway.host(instance)
    assert answer.seen["x-forwarded-host"] == gateway.host(instance)
    assert answer.seen["x-forwarded-proto"] == "http"
    assert answer.seen["sec-fetch-site"] == "same-origin"
    assert "authorization" not in answer.seen
    assert not [name for name in answer.seen if "aigc" in name]
    assert answer.json()["method"] == "POST"


def test_rule_8_a_visit_from_the_portal_looks_to_the_engine_like_one_typed_by_hand(gateway, instance, signed_in):
    assert gateway.visit(instance, cookie=signed_in, Sec_Fetch_Site="cross-site").seen["sec-fetch-site"] == "none"
