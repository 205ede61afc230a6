"""Sign in and out, and who one is."""

import sys
from typing import Annotated

import typer

from aigc import settings
from aigc.api import Api, Json
from aigc.failures import Failure, Misused, NotSignedIn
from aigc.options import JsonOption, TenantOption
from aigc.output import local, plain, say, show_facts, show_json, show_table
from aigc.settings import Access, Stored
from aigc.team import portal, team, wanted_slug

AddressArgument = Annotated[str, typer.Argument(envvar="AIGC_URL", help="The portal, e.g. https://portal.example.com.")]


def login(address: AddressArgument = "", tenant: TenantOption = "") -> None:
    """Store an address and a token, after trying them.

    The token comes from the page Team, Tokens. It is asked for, or read from standard input if that is no terminal; it is never
    an argument, which other people on this machine could read.
    """
    wanted = settings.normal_address(address or _asked_address())
    access = Access(wanted, _token())
    with Api(access) as api:
        me = api.get("/me")
    chosen = _default_tenant(me, wanted_slug(tenant))
    path = settings.save(Stored(access.address, access.token, chosen))
    say(f"Signed in at {access.address} as {me['username']}. Stored in {path}.")
    if not chosen and me["tenants"]:
        say(f"Say with each command for which tenant, or sign in with --tenant: {_slugs(me)}.")


def logout() -> None:
    """Forget the stored address and token. The token itself lives on until it is revoked on the page Team, Tokens."""
    say("Signed out on this machine." if settings.forget() else "Nothing was stored.")


def whoami(*, as_json: JsonOption = False) -> None:
    """Say who the token acts as, where, and until when."""
    with portal() as api:
        me = api.get("/me")
        if as_json:
            show_json(me)
            return
        token = me["token"]
        show_facts(
            [
                ("User", f"{me['username']} ({me['name']})" if me["name"] else me["username"]),
                ("Portal", api.access.address),
                ("Tenants", ", ".join(f"{each['slug']} ({each['role']})" for each in me["tenants"])),
                ("Token", f"{token['name']} ({token['kind']}), until {local(token['expires_at'])}"),
                ("Scopes", ", ".join(token["scopes"])),
            ]
        )


def tokens(*, tenant: TenantOption = "", as_json: JsonOption = False) -> None:
    """List your access tokens, and those of the tenant that you may see; none is ever shown whole."""
    with team(tenant) as found:
        own = {each["id"]: each for each in found.api.every("/me/tokens")}
        rows = list((own | {each["id"]: each for each in found.every("tokens")}).values())
    if as_json:
        show_json(rows)
        return
    shown = [
        (
            each["name"],
            each["kind"],
            each["acts_as"],
            each["start"],
            _end(each),
            _last_use(each),
            each["id"],
        )
        for each in rows
    ]
    show_table(("NAME", "KIND", "ACTS AS", "BEGINS", "UNTIL", "LAST USED", "ID"), shown, empty="There are no tokens here.")


def _end(token: Json) -> str:
    return "ended" if token["ended"] else local(token["expires_at"])


def _last_use(token: Json) -> str:
    return local(token["last_used_at"]) or "never"


def _asked_address() -> str:
    stored = settings.load().address
    if not sys.stdin.isatty():
        if not stored:
            raise Misused("Say which portal: aigc login https://portal.example.com.")
        return stored
    return str(typer.prompt("Portal", default=stored or None, err=True))


def _token() -> str:
    """Read the token where nobody sees it."""
    asked = sys.stdin.isatty()
    token = str(typer.prompt("Access token", hide_input=True, err=True) if asked else sys.stdin.readline()).strip()
    if not token:
        raise NotSignedIn("No token was given. Make one on the portal's page Team, Tokens.")
    return token


def _default_tenant(me: Json, wanted: str) -> str:
    slugs = [each["slug"] for each in me["tenants"]]
    if wanted and wanted not in slugs:
        raise Failure(f"The token does not reach the tenant {plain(wanted)}. It reaches: {_slugs(me) or 'none'}.")
    return wanted or (slugs[0] if len(slugs) == 1 else "")


def _slugs(me: Json) -> str:
    return ", ".join(each["slug"] for each in me["tenants"])
