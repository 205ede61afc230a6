"""Who gets through which address outside of tenants: found by walking the resolver, so that a new one needs an expectation.

The addresses of tenants are in test_rights, those of the API in its own tests.
"""

import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from engines.models import Cluster, Instance
from tenants.models import Tenant, User
from tests import factories
from tests.test_rights import SIGN_IN, sent_to_sign_in
from tests.test_routes import everything_written, make_secret

EVERYBODY, SIGNED_IN, VISITORS, TOKEN = "everybody", "signed in", "visitors", "token"
NEEDS = {
    "": EVERYBODY,  # old addresses of allauth's, which lead to the present ones
    "home": SIGNED_IN,
    "account_end_session": SIGNED_IN,
    "account_profile": SIGNED_IN,
    "back_channel_logout": EVERYBODY,
    "invitation": EVERYBODY,
    "invitation_accept": EVERYBODY,
    "invitation_account": EVERYBODY,
    "invitation_mine": SIGNED_IN,
    "looking_act": SIGNED_IN,
    "looking_end": SIGNED_IN,
    "mfa_activate_totp": SIGNED_IN,
    "mfa_add_webauthn": SIGNED_IN,
    "mfa_authenticate": EVERYBODY,
    "mfa_deactivate_totp": SIGNED_IN,
    "mfa_download_recovery_codes": SIGNED_IN,
    "mfa_edit_webauthn": SIGNED_IN,
    "mfa_generate_recovery_codes": SIGNED_IN,
    "mfa_index": SIGNED_IN,
    "mfa_list_webauthn": SIGNED_IN,
    "mfa_login_webauthn": EVERYBODY,
    "mfa_reauthenticate": SIGNED_IN,
    "mfa_reauthenticate_webauthn": SIGNED_IN,
    "mfa_remove_webauthn": SIGNED_IN,
    "mfa_view_recovery_codes": SIGNED_IN,
    "openid_connect_callback": EVERYBODY,
    "openid_connect_login": EVERYBODY,
    "signed_out": EVERYBODY,
    "socialaccount_connections": SIGNED_IN,
    "socialaccount_login_cancelled": EVERYBODY,
    "socialaccount_login_error": EVERYBODY,
    "socialaccount_signup": EVERYBODY,
    "usersessions_list": SIGNED_IN,
    "account_change_password": SIGNED_IN,
    "account_confirm_email": EVERYBODY,
    "account_confirm_login_code": EVERYBODY,
    "account_email": SIGNED_IN,
    "account_email_verification_sent": EVERYBODY,
    "account_inactive": EVERYBODY,
    "account_login": EVERYBODY,
    "account_logout": EVERYBODY,
    "account_reauthenticate": SIGNED_IN,
    "account_reset_password": EVERYBODY,
    "account_reset_password_done": EVERYBODY,
    "account_reset_password_from_key": EVERYBODY,
    "account_reset_password_from_key_done": EVERYBODY,
    "account_set_password": SIGNED_IN,
    "account_signup": EVERYBODY,
    "favicon": EVERYBODY,
    "gateway-authorize": VISITORS,
    "live": EVERYBODY,
    "metrics": TOKEN,
    "ready": EVERYBODY,
    "set_language": EVERYBODY,
    "waking": VISITORS,
    "waking-cancel": VISITORS,
    "waking-start": VISITORS,
}
# Of the admin's addresses the only ones that need no operator.
ADMIN_FOR_EVERYBODY = {"admin:login"}
KEYS = {"account_confirm_email": {"key": "x"}, "account_reset_password_from_key": {"uidb36": "1", "key": "x"}}
# What else is an answer to those whom an address is for: nothing waits to be confirmed, or there is nothing to confirm it with.
ALSO = {
    name: {400, 403, 404} for name in NEEDS if name.startswith(("mfa_", "invitation", "looking_", "openid_", "socialaccount_"))
} | {
    "": {301},
    "account_confirm_email": {404},
    "account_confirm_login_code": {404},
    "account_end_session": {404},
    "account_reauthenticate": {403},
    "back_channel_logout": {400, 404},
    "invitation": {404, 410},
    "invitation_accept": {SIGN_IN, 404, 410},
    "invitation_account": {404, 410},
    "ready": {503},
    "socialaccount_login_error": {401},
}
PEOPLE = ("anonymous", "stranger", "owner", "colleague", "operator")
PASSES = {
    EVERYBODY: set(PEOPLE),
    SIGNED_IN: set(PEOPLE) - {"anonymous"},
    VISITORS: {"owner"},
    TOKEN: set(),
}


def other_routes(patterns: list[URLPattern | URLResolver], prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """Yield name, with its namespace, and whole route of every pattern that is not below /<tenant_slug>/ nor the API's."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if "<slug:tenant_slug>" in route or route.startswith("api/"):
            continue
        if isinstance(pattern, URLResolver):
            yield from other_routes(pattern.url_patterns, route, space + (f"{pattern.namespace}:" if pattern.namespace else ""))
        else:
            yield f"{space}{pattern.name or ''}", route


ROUTES = sorted(set(other_routes(get_resolver().url_patterns)))
OUTSIDE = sorted({name for name, route in ROUTES if not route.startswith("admin/")})
ADMIN = [(name, route) for name, route in ROUTES if route.startswith("admin/") and name not in ADMIN_FOR_EVERYBODY]


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return make_secret(acme, alice, cluster)


@pytest.fixture
def sign_in(client: Client, acme: Tenant, alice: User, bob: User, olga: User) -> Callable[[str], None]:
    carol = factories.make_user("carol")
    factories.join(carol, acme)

    def run(kind: str) -> None:
        if kind != "anonymous":
            client.force_login({"stranger": bob, "owner": alice, "colleague": carol, "operator": olga}[kind])

    return run


def address(name: str, instance: Instance) -> str:
    if name == "gateway-authorize":
        return reverse(name, query={"instance": instance.slug, "n": "0" * 64, "rd": "/"})
    if name in KEYS or name.startswith("waking"):
        return reverse(name, kwargs=KEYS.get(name, {"slug": instance.slug}))
    return plain(dict(ROUTES)[name])


def answers_to(client: Client, url: str) -> list[HttpResponseBase]:
    return [answer for answer in (client.get(url), client.post(url)) if answer.status_code != 405]


def meaning(answer: HttpResponseBase) -> int:
    return SIGN_IN if sent_to_sign_in(answer) else answer.status_code


def test_every_other_route_says_whom_it_is_for() -> None:
    assert set(OUTSIDE) == set(NEEDS)


@pytest.mark.parametrize("kind", PEOPLE)
@pytest.mark.parametrize("name", OUTSIDE)
def test_other_routes_let_through_whom_they_are_for(
    kind: str, name: str, instance: Instance, sign_in: Callable[[str], None], client: Client
) -> None:
    sign_in(kind)
    before = everything_written()
    statuses = {meaning(answer) for answer in answers_to(client, address(name, instance))}
    if kind in PASSES[NEEDS[name]]:
        assert statuses <= {200, 302, 422} | ALSO.get(name, set())
        return
    nothing = {SIGN_IN} if kind == "anonymous" and NEEDS[name] != TOKEN else {403} if kind == "colleague" else {404}
    assert statuses == ({404} if NEEDS[name] == TOKEN else nothing)
    assert everything_written() == before


def test_the_icon_that_browsers_ask_for_is_there(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, "/static/icons/portal.svg")
    assert finders.find(answer["Location"].removeprefix("/static/"))


@pytest.mark.parametrize(("header", "status"), [("", 404), ("Bearer wrong", 404), ("Bearer t0ken", 200)])
def test_metrics_are_for_whoever_has_the_token(header: str, status: int, settings, client: Client, db: None) -> None:
    settings.METRICS_TOKEN = "t0ken"
    assert client.get("/metrics", headers={"Authorization": header}).status_code == status


def plain(route: str) -> str:
    """The address of a route, with something in the place of what it captures."""
    return "/" + re.sub(r"<[^>]+>", "1", route).replace("^", "").replace("(?P1.*)$", "nothing")


def test_the_walk_finds_the_admin() -> None:
    assert {"admin:index", "admin:engines_instance_changelist", "admin:tenants_user_change", "admin:billing_price_add"} <= {
        name for name, _route in ADMIN
    }


@pytest.mark.parametrize("kind", [kind for kind in PEOPLE if kind != "operator"])
def test_the_admin_is_for_operators_alone(kind: str, instance: Instance, sign_in: Callable[[str], None], client: Client) -> None:
    """Of its addresses nobody else learns even whether there is such a row."""
    sign_in(kind)
    before = everything_written()
    for _name, route in ADMIN:
        for answer in answers_to(client, plain(route)):
            assert (answer.status_code, route) == (302, route)
            assert re.match(r"/admin/login/|/accounts/login/", answer["Location"]) or route == "admin/logout/"
    assert everything_written() == before


def test_an_operator_without_a_right_sees_no_rows(instance: Instance, client: Client) -> None:
    """Staff alone opens the admin's front door and nothing behind it."""
    client.force_login(factories.make_user("sam", is_staff=True))
    before = everything_written()
    for name, route in ADMIN:
        if re.fullmatch(r"admin:(tenants|engines|gateway|billing|auth)_[a-z]+_(changelist|add|change|delete|history)", name):
            statuses = {answer.status_code for answer in answers_to(client, plain(route))}
            assert (statuses <= {403, 302}, name) == (True, name)
            assert (200 in statuses, name) == (False, name)
    assert everything_written() == before
