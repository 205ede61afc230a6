"""Who signs in, what is stored and for whom to read, and what never appears."""

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.operations import Made
from tenants.models import Tenant, User
from tests import factories
from tests.cli.conftest import Aigc, Done


def test_in_out_and_in_between(aigc: Aigc, portal: str, alice: User, token_of: Callable[..., Made], tmp_path: Path) -> None:
    secret = token_of(alice).secret
    ended: list[Done] = []

    def typed(*arguments: str, typed: str = "") -> Done:
        ended.append(aigc(*arguments, typed=typed))
        return ended[-1]

    assert typed("whoami").code == 3
    signed_in = typed("login", f"{portal}/acme/", typed=f"{secret}\n")
    file = tmp_path / "config" / "aigc" / "settings.json"
    assert (signed_in.code, signed_in.out) == (0, "")
    assert signed_in.err == f"Signed in at {portal} as alice. Stored in {file}.\n"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert json.loads(file.read_text()) == {"address": portal, "token": secret, "tenant": "acme"}
    assert [each.name for each in file.parent.iterdir()] == ["settings.json"]
    me = json.loads(typed("whoami", "--json").out)
    assert (me["username"], [each["slug"] for each in me["tenants"]]) == ("alice", ["acme"])
    assert "alice" in typed("whoami").out
    rows = json.loads(typed("tokens", "--json").out)
    assert [(each["name"], each["acts_as"], each["start"]) for each in rows] == [("a terminal", "alice", f"{secret[:17]}…")]
    assert "a terminal" in typed("tokens").out
    assert typed("logout").err == "Signed out on this machine.\n"
    assert not file.exists()
    assert typed("list").code == 3
    assert typed("logout").err == "Nothing was stored.\n"
    assert not [each for each in ended if secret[17:] in each.out + each.err]


def test_tokens_that_are_wrong_or_over_are_not_stored(
    aigc: Aigc, portal: str, alice: User, token_of: Callable[..., Made], tmp_path: Path
) -> None:
    made = token_of(alice)
    now = timezone.now()
    AccessToken.objects.update(created_at=now - timedelta(days=8), expires_at=now - timedelta(days=1))
    for token in ("aigc_pat_wrong", made.secret, "caf\u00e9"):
        done = aigc("login", portal, typed=f"{token}\n")
        assert (done.code, done.out) == (3, "")
        assert token not in done.err
    assert aigc("login", portal, typed="\n").code == 3
    assert not (tmp_path / "config" / "aigc" / "settings.json").exists()


def test_a_person_of_several_tenants_says_which(
    aigc: Aigc, as_alice: Made, alice: User, bolt: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.join(alice, bolt)
    done = aigc("list")
    assert (done.code, done.err) == (2, "aigc: Say which tenant with --tenant or AIGC_TENANT: acme, bolt.\n")
    assert aigc("list", "--tenant", "bolt").code == 0
    assert aigc("list", "--tenant", "elsewhere").code == 4
    assert aigc("login", "--tenant", "elsewhere", typed=as_alice.secret).code == 1
    assert aigc("login", "--tenant", "bolt", typed=as_alice.secret).code == 0
    assert aigc("list").code == 0
    monkeypatch.setenv("AIGC_TENANT", "elsewhere")
    assert aigc("list").code == 4


def test_a_token_without_the_scope(aigc: Aigc, portal: str, alice: User, token_of: Callable[..., Made]) -> None:
    aigc("login", portal, typed=token_of(alice, scopes=["catalog:read"]).secret)
    done = aigc("list")
    assert (done.code, done.out) == (1, "")
    assert "instances:read" in done.err
    assert aigc("catalog").code == 0


def test_the_portals_own_rate_limit(aigc: Aigc, as_alice: Made, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0
    monkeypatch.setenv("AIGC_PATIENCE", "0")
    done = aigc("whoami")
    assert done.code == 5
    assert done.err.startswith("aigc: More than 0 requests within a minute. Try again in ")
