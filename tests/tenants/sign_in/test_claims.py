"""Which memberships follow from which claims."""

from typing import Any

import pytest

from tenants.models import Role
from tenants.sign_in.claims import RANK, values_of, verified_email, wanted_roles
from tenants.sign_in.schema import Provider

BASE = {"id": "p", "name": "P", "issuer": "https://id.example.com", "client_id": "c"}
ACME = {"tenant": "acme", "roles": {"artists": "member", "leads": "admin", "money": "finance"}}
DOMAIN = {"tenant": "acme", "email_domains": ["Acme.example"], "default_role": "member"}
ANNA = {"email": "anna@acme.example", "email_verified": True}


def wanted(claims: dict[str, Any], *grants: dict[str, Any], **provider: Any) -> dict[str, str]:
    return wanted_roles(claims, Provider.model_validate(BASE | {"grants": grants} | provider))


def test_roles_are_ranked_all():
    assert set(RANK) == set(Role.values)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["artists"], {"acme": "member"}),
        (["money", "leads", "artists"], {"acme": "admin"}),
        ("leads", {"acme": "admin"}),
        (["others"], {}),
        ([], {}),
        (None, {}),
        (7, {}),
        ([["leads"], {"leads": 1}, None], {}),
        ({"leads": True}, {}),
    ],
)
def test_groups(groups: Any, expected: dict[str, str]):
    assert wanted({"groups": groups}, ACME) == expected


def test_the_highest_of_several_grants_wins():
    low = {"tenant": "acme", "default_role": "viewer"}
    assert wanted({"groups": ["leads"]}, low, ACME) == wanted({"groups": ["leads"]}, ACME, low) == {"acme": "admin"}
    assert wanted({}, low, ACME) == {"acme": "viewer"}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (ANNA, {"acme": "member"}),
        (ANNA | {"email": "ANNA@ACME.EXAMPLE"}, {"acme": "member"}),
        (ANNA | {"email_verified": "true"}, {"acme": "member"}),
        (ANNA | {"email_verified": False}, {}),
        (ANNA | {"email_verified": "false"}, {}),
        (ANNA | {"email_verified": None}, {}),
        (ANNA | {"email_verified": ["true"]}, {}),
        ({"email": "anna@acme.example"}, {}),
        (ANNA | {"email": "anna@sub.acme.example"}, {}),
        (ANNA | {"email": "anna@acme.example.evil.example"}, {}),
        (ANNA | {"email": "anna@evil.example@acme.example"}, {}),
        (ANNA | {"email": ["anna@acme.example"]}, {}),
        ({}, {}),
    ],
)
def test_a_domain_counts_for_verified_addresses_alone(claims: dict[str, Any], expected: dict[str, str]):
    assert wanted(claims, DOMAIN) == expected


def test_a_vouched_domain_counts_without_the_provider_s_word():
    assert wanted({"email": "anna@acme.example"}, DOMAIN, verified_domains=["acme.example"]) == {"acme": "member"}
    assert wanted({"email": "anna@other.example"}, DOMAIN, verified_domains=["acme.example"]) == {}
    provider = Provider.model_validate(BASE)
    assert verified_email(ANNA | {"email": "Anna@Acme.Example"}, provider) == "anna@acme.example"


def test_a_claim_lets_in():
    grant = {"tenant": "acme", "claim": "studio", "values": ["acme", "acme-2"], "default_role": "member"}
    assert wanted({"studio": "acme-2"}, grant) == {"acme": "member"}
    assert wanted({"studio": ["x", "acme"]}, grant) == {"acme": "member"}
    assert wanted({"studio": "bolt"}, grant) == wanted({}, grant) == {}


def test_domain_or_claim():
    grant = DOMAIN | {"claim": "studio", "values": ["acme"]}
    assert wanted(ANNA, grant) == wanted({"studio": "acme"}, grant) == {"acme": "member"}
    assert wanted({"studio": "bolt"}, grant) == {}


def test_a_claim_names_tenants():
    grant = {"tenant_claim": "studios", "default_role": "member", "roles": {"leads": "admin"}}
    assert wanted({"studios": ["acme", "bolt"]}, grant) == {"acme": "member", "bolt": "member"}
    assert wanted({"studios": "acme", "groups": ["leads"]}, grant, DOMAIN) == {"acme": "admin"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("realm_access.roles", ["a", "b"]),
        ("https://acme.example/groups", ["c"]),
        ("flat", ["d"]),
        ("number", []),
        ("numbers", ["1", "2"]),
        ("realm_access.nothing.more", []),
        ("realm_access.roles.more", []),
        ("absent", []),
    ],
)
def test_names_of_claims(name: str, expected: list[str]):
    claims = {
        "realm_access": {"roles": ["a", "b"]},
        "https://acme.example/groups": ["c"],
        "flat": "d",
        "number": 3,
        "numbers": [1, 2],
    }
    assert values_of(claims, name) == expected
