"""Programs with API tokens, through the real gateway."""

import base64
from datetime import timedelta

import pytest
from django.utils import timezone
from websockets.exceptions import InvalidStatus

from engines.models import Instance
from gateway.api_tokens.operations import revoke_api_token
from gateway.models import ApiToken
from tenants.models import Membership, Role, Tenant, User
from tenants.notifications.models import Delivery, Notification
from tests import factories
from tests.gateway.driving import NAVIGATION, SCRIPT
from tests.gateway.test_access import SOON_SECONDS
from tests.gateway.test_streams import open_socket
from tests.waiting import wait_until

OWN = "Basic " + base64.b64encode(b"engine:own").decode()


def test_a_program_reaches_the_engine_and_the_engine_never_sees_the_token(gateway, instance, make_token):
    secret = make_token(instance).secret
    answer = gateway.ask(instance, secret, "/prompt?x=1", "POST", Cookie="own=1; __Host-aigc_s=x")
    assert (answer.status, answer.json()["target"], answer.json()["method"]) == (200, "/prompt?x=1", "POST")
    assert "authorization" not in answer.seen
    assert answer.seen["cookie"] == "own=1"
    assert secret not in answer.body.decode()
    assert not [name for name in answer.seen if "aigc" in name]
    assert answer.all("Set-Cookie") == []


def test_the_token_goes_nowhere_but_into_its_header(gateway, instance, make_token):
    secret = make_token(instance).secret
    assert gateway.call(instance, f"/?token={secret}&access_token={secret}").status == 401
    assert gateway.call(instance, cookie=f"__Host-aigc_s={secret}; token={secret}").status == 401
    for headers in ({"X-Api-Key": secret}, {"Authorization": secret}, {"Authorization": f"Basic {secret}"}):
        assert gateway.send(gateway.host(instance), headers=SCRIPT | headers).status == 401


def test_no_origin_rule_holds_for_programs(gateway, instance, make_token):
    secret = make_token(instance).secret
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, NAVIGATION):
        assert gateway.ask(instance, secret, method="POST", **headers).status == 200
    # A browser's question before a call from elsewhere carries no token, so such calls end here.
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert gateway.send(gateway.host(instance), method="OPTIONS", headers=preflight).status == 401


def test_a_program_opens_a_websocket(gateway, instance, make_token):
    host, secret = gateway.host(instance), make_token(instance, rules=["GET /ws"]).secret
    with open_socket(gateway, host, authorization=f"Bearer {secret}") as channel:
        channel.send("hello")
        assert channel.recv(timeout=10) == "hello"
    other = make_token(instance, rules=["POST /ws"]).secret
    with pytest.raises(InvalidStatus) as refused:
        open_socket(gateway, host, authorization=f"Bearer {other}")
    assert refused.value.response.status_code == 403


def test_beside_a_visit_the_engines_own_authorization_still_reaches_it(gateway, instance, signed_in):
    assert gateway.call(instance, cookie=signed_in, Authorization=OWN).seen["authorization"] == OWN


def test_two_authorizations_are_refused(gateway, instance, make_token, signed_in):
    secret = make_token(instance).secret
    for pair in ((f"Bearer {secret}", OWN), (OWN, f"Bearer {secret}")):
        headers = [("Cookie", signed_in), *(("Authorization", each) for each in pair)]
        assert gateway.send(gateway.host(instance), headers=headers).status == 400


def test_a_wrong_token_is_refused_though_the_visitor_is_signed_in(gateway, instance, signed_in):
    for text in ("aigc_", "aigc_short", "aigc_" + "x" * 40, "AIGC_" + "x" * 40):
        answer = gateway.ask(instance, text, Cookie=signed_in)
        assert (answer.status, answer.json()["state"], answer["WWW-Authenticate"]) == (401, "signed_out", "Bearer")


def test_a_token_opens_what_it_is_bound_to(gateway, make_instance, make_token, bolt, bob):
    mine, other, strangers = make_instance(), make_instance(), make_instance(tenant=bolt, owner=bob)
    bound, wide = make_token(mine).secret, make_token().secret
    asked = [(secret, each) for secret in (bound, wide) for each in (mine, other, strangers)]
    assert [gateway.ask(each, secret).status for secret, each in asked] == [200, 404, 404, 200, 200, 404]


def test_rules_and_networks_are_kept(gateway, instance, make_token):
    narrow = make_token(instance, rules=["POST /prompt", "GET /history/*"], networks=["127.0.0.0/8"]).secret
    asked = [("POST", "/prompt"), ("GET", "/history/7"), ("GET", "/prompt"), ("GET", "/history/..%2Fprompt")]
    assert [gateway.ask(instance, narrow, path, method).status for method, path in asked] == [200, 200, 403, 403]
    elsewhere = make_token(instance, networks=["192.0.2.0/24"]).secret
    refused = gateway.ask(instance, elsewhere)
    assert (refused.status, refused.json()["message"]) == (403, "This API token may not be used from your address.")


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-Ip", "X-Aigc-Client", "X_Aigc_Client", "Forwarded"])
def test_a_client_cannot_choose_its_address(gateway, instance, make_token, name):
    secret = make_token(instance, networks=["192.0.2.0/24"]).secret
    value = "for=192.0.2.7" if name == "Forwarded" else "192.0.2.7"
    headers = [("Authorization", f"Bearer {secret}"), (name, value)]
    assert gateway.send(gateway.host(instance), headers=headers).status == 403


def drop_membership() -> None:
    Membership.objects.filter(user__username="alice").delete()


def come_back() -> None:
    drop_membership()
    factories.join(User.objects.get(username="alice"), Tenant.objects.get(slug="acme"))


ENDS = {
    "revoked": (lambda token: revoke_api_token(token=token, by=Membership.objects.get(user__username="alice")), 401),
    "over": (lambda _token: ApiToken.objects.update(expires_at=timezone.now()), 401),
    "maker left": (lambda _token: drop_membership(), 401),
    "maker left and came back": (lambda _token: come_back(), 401),
    "maker inactive": (lambda _token: User.objects.update(is_active=False), 404),
    "maker may not visit": (lambda _token: Membership.objects.update(role=Role.VIEWER), 403),
    "tenant suspended": (lambda _token: Tenant.objects.update(suspended_at=timezone.now()), 403),
    "instance deleted": (lambda _token: Instance.objects.update(state="deleted"), 404),
}


@pytest.mark.parametrize(("end", "status"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "wide"])
def test_a_token_ends_with_what_it_stands_on(gateway, instance, make_token, bound, end, status):
    made = make_token(instance if bound else None)
    assert gateway.ask(instance, made.secret).status == 200
    end(made.token)
    wait_until(lambda: gateway.ask(instance, made.secret).status == status, seconds=SOON_SECONDS)


def test_the_last_use_is_written_down(gateway, instance, make_token):
    made = make_token(instance)
    before = timezone.now()
    assert gateway.ask(instance, made.secret).status == 200

    def written() -> bool:
        made.token.refresh_from_db()
        return made.token.last_used_at is not None

    wait_until(written)
    assert before - timedelta(seconds=1) <= made.token.last_used_at <= timezone.now()


def test_who_makes_a_token_is_told_of_it_by_mail_too(make_token, instance):
    made = make_token(instance, name="blender")
    [told] = Notification.objects.filter(kind="token_created")
    assert told.context == {"name": "blender", "by": "alice"}
    assert [each.user.username for each in Delivery.objects.filter(notification=told)] == ["alice"]
    assert made.secret not in str(told.context)
