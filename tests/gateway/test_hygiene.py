"""What passes between browser and engine, and what does not."""

from tests.gateway.driving import NAVIGATION, SCRIPT

SPOOFED = {
    "X-Aigc-Upstream": "127.0.0.1:1",
    "X_Aigc_Upstream": "127.0.0.1:1",
    "X-Aigc-Gw": "guess",
    "X-Aigc-Cookie": "a=b",
    "X-Aigc-Upgrade": "websocket",
    "X-Aigc-Authorization": "Basic x",
    "X-Forwarded-User": "olga",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Uri": "/elsewhere",
    "X_Forwarded_For": "10.0.0.1",
    "Forwarded": "for=10.0.0.1;host=evil.example",
    "X-Original-Url": "/elsewhere",
    "X-Rewrite-Url": "/elsewhere",
    "X-Real-Ip": "10.0.0.1",
}


def test_nothing_a_client_says_of_itself_reaches_the_engine(gateway, instance, signed_in):
    headers = {
        **SCRIPT,
        **SPOOFED,
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
    }
    answer = gateway.send(gateway.host(instance), "/here", headers=headers | {"Cookie": signed_in})
    assert (answer.status, answer.json()["target"]) == (200, "/here")
    assert not {name.lower() for name in SPOOFED} & set(answer.seen)
    assert (answer.seen["x-forwarded-for"], answer.seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert answer.seen["x-forwarded-host"] == gateway.host(instance)


def test_spoofed_headers_do_not_sway_gwauth(gateway, instance, signed_in):
    assert gateway.send(gateway.host(instance), headers=SCRIPT | SPOOFED).status == 401
    posted = gateway.send(gateway.host(instance), "/", "POST", NAVIGATION | SPOOFED | {"Cookie": signed_in, "Origin": "null"})
    assert posted.status == 403


def test_headers_cannot_be_cut_hop_by_hop(gateway, instance, signed_in):
    dropped = {"Connection": "close, Cookie, X-Aigc-Gw, X-Aigc-Upstream, X-Forwarded-Method, X-Forwarded-Uri, Origin"}
    answer = gateway.send(
        gateway.host(instance), headers=SCRIPT | dropped | {"Cookie": signed_in, "Origin": "http://evil.example"}
    )
    assert answer.status in {401, 403}


TARGETS = ["/a%2Fb/../c//d?x=%20&y=%2e%2e", "/%E4%BD%A0?q=a+b&q=%26", "/a;b=c", "/.", "/a%00b"]


def test_the_engine_sees_path_and_query_as_they_were_sent(gateway, instance, signed_in):
    assert [gateway.visit(instance, target, cookie=signed_in).json()["target"] for target in TARGETS] == TARGETS


def test_an_engines_headers_cannot_touch_other_hosts_or_our_cookies(gateway, instance, signed_in):
    answer = gateway.visit(instance, "/hostile", cookie=signed_in)
    assert answer.status == 200
    assert answer.all("Set-Cookie") == ["own=1; Path=/", "blocked=; Max-Age=0", "blocked=; Max-Age=0"]
    for name in ("X-Aigc-Upstream", "Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security", "Alt-Svc"):
        assert answer[name] is None
    assert answer.all("Content-Security-Policy") == ["img-src *", "frame-ancestors 'self'"]
    assert (answer["X-Frame-Options"], answer["Referrer-Policy"]) == ("SAMEORIGIN", "same-origin")


def test_the_portal_is_served_under_its_own_name_with_true_headers_only(gateway):
    answer = gateway.send(gateway.portal_host, "/acme/?x=1", headers=SPOOFED | {"X-Forwarded-Proto": "https", "Cookie": "a=1"})
    assert (answer.status, answer.json()["target"]) == (200, "/acme/?x=1")
    assert not {name.lower() for name in SPOOFED} & set(answer.seen)
    assert answer.seen["cookie"] == "a=1"
    assert answer.seen["host"] == gateway.portal_host
    assert (answer.seen["x-forwarded-for"], answer.seen["x-forwarded-proto"]) == ("127.0.0.1", "http")


def test_the_plain_name_leads_to_the_portal(gateway):
    answer = gateway.send(f"localhost:{gateway.port}", "/acme/?x=1")
    assert (answer.status, answer["Location"]) == (302, f"http://{gateway.portal_host}/acme/?x=1")
