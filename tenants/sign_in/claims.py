"""What a provider says of a person, and which memberships follow from it. Pure: claims in, addresses and roles out."""

from collections.abc import Mapping
from typing import Any

from tenants.sign_in.schema import Grant, Provider, RoleName

Claims = Mapping[str, Any]
RANK: tuple[RoleName, ...] = ("owner", "admin", "member", "finance", "viewer")
"""Roles, the highest first."""


def verified_email(claims: Claims, provider: Provider) -> str:
    """Return the person's address if it is known to be theirs, else nothing.

    The provider says so by `email_verified` (some send it as text), or the operator vouches for its addresses in these domains.
    """
    email = claims.get("email")
    if not isinstance(email, str) or email.count("@") != 1:
        return ""
    said = claims.get("email_verified")
    is_known = said is True or said == "true" or domain_of(email) in provider.verified_domains
    return email.lower() if is_known else ""


def domain_of(email: str) -> str:
    """Return what follows the @ in lower case."""
    return email.rpartition("@")[2].lower()


def wanted_roles(claims: Claims, provider: Provider) -> dict[str, RoleName]:
    """Return tenant slug → role for every tenant that the provider's grants give this person; the highest role wins."""
    wanted: dict[str, RoleName] = {}
    email = verified_email(claims, provider)
    for grant in provider.grants:
        role = _role(claims, grant) if _lets_in(claims, email, grant) else None
        if role is None:
            continue
        for slug in [grant.tenant] if grant.tenant is not None else values_of(claims, grant.tenant_claim or ""):
            wanted[slug] = min(role, wanted.get(slug, role), key=RANK.index)
    return wanted


def values_of(claims: Claims, name: str) -> list[str]:
    """Return a claim's values as texts: of a list, of a single value, of nothing.

    The whole name comes first, as names may be addresses with dots in them; then a dot leads into an object.
    """
    found: Any = claims.get(name)
    if found is None and "." in name:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [str(each) for each in found if _is_plain(each)] if isinstance(found, list) else []


def _lets_in(claims: Claims, email: str, grant: Grant) -> bool:
    if not grant.email_domains and grant.claim is None:
        return True
    if email and domain_of(email) in grant.email_domains:
        return True
    return grant.claim is not None and not set(grant.values).isdisjoint(values_of(claims, grant.claim))


def _role(claims: Claims, grant: Grant) -> RoleName | None:
    roles = [grant.roles[group] for group in values_of(claims, grant.groups_claim) if group in grant.roles]
    return min(roles, key=RANK.index) if roles else grant.default_role


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | bool)
