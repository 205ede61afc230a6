"""What operators write about providers, and what they are told when it cannot be."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.checks import run_checks

from tenants.sign_in.configuration import ProvidersError, client_secret, provider, providers, read_providers
from tenants.sign_in.schema import Providers

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "sign-in.md"
BASE = {"id": "p", "name": "P", "issuer": "https://id.example.com", "client_id": "c"}


@pytest.fixture
def problems(settings, tmp_path):
    """Write a file with one provider that differs from a good one, and return what is said of it."""

    def write(**changes: Any) -> list[str]:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump({"providers": [{k: v for k, v in (BASE | changes).items() if v is not None}]}))
        settings.OIDC_PROVIDERS = str(path)
        try:
            read_providers()
        except ProvidersError as error:
            where, said = zip(*(each.split(": ", 1) for each in error.problems), strict=True)
            return list(said) if set(where) == {str(path)} else error.problems
        return []

    return write


def test_nothing_is_none(settings):
    settings.OIDC_PROVIDERS = ""
    assert providers() == ()
    assert provider("p") is None


def test_a_good_one(problems):
    assert problems() == []
    assert provider("p").scopes == ("openid", "profile", "email")


def test_json_in_the_variable_itself(settings):
    settings.OIDC_PROVIDERS = json.dumps({"providers": [BASE, BASE | {"id": "q"}]})
    assert [each.id for each in providers()] == ["p", "q"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"issuer": "http://id.example.com"}, "providers[0].issuer: must begin with https:// (http is for this machine alone)"),
        ({"issuer": "id.example.com"}, "providers[0].issuer: must be an address such as https://id.example.com"),
        ({"client_id": None}, "providers[0].client_id: is required"),
        ({"client": "x"}, "providers[0].client: is not a known key"),
        ({"id": "Big One"}, "providers[0].id: must match pattern '^[a-z0-9][a-z0-9-]{0,39}$'"),
        ({"scopes": ["email"]}, "providers[0]: scopes must contain openid"),
        ({"algorithms": ["HS256"]}, "providers[0].algorithms[0]: must be 'RS256'"),
        ({"auth_params": {"state": "x"}}, "providers[0]: auth_params must not contain state, which the portal sets itself"),
        ({"client_secret": "s", "client_secret_env": "S"}, "providers[0]: give only one of client_secret"),
        ({"client_secret_env": "AIGC_NOT_SET"}, "providers[0].client_secret_env: the variable AIGC_NOT_SET is not set"),
        ({"client_secret_file": "/no/such/file"}, "providers[0].client_secret_file: /no/such/file cannot be read: No such file"),
        ({"verified_domains": ["@example.com"]}, "providers[0].verified_domains[0]: must be a mail domain such as example.com"),
        ({"verified_domains": ["*"]}, "providers[0].verified_domains[0]: must be a mail domain such as example.com"),
        ({"recheck_minutes": 0}, "providers[0].recheck_minutes: must be greater than or equal to 1"),
        ({"grants": [{"tenant": "acme"}]}, "providers[0].grants[0]: needs roles or default_role, or it gives nobody anything"),
        ({"grants": [{"default_role": "member"}]}, "providers[0].grants[0]: needs either tenant or tenant_claim"),
        (
            {"grants": [{"tenant": "acme", "claim": "x", "default_role": "member"}]},
            "providers[0].grants[0]: claim and values belong together",
        ),
        ({"grants": [{"tenant": "acme", "default_role": "king"}]}, "providers[0].grants[0].default_role: must be 'owner'"),
    ],
)
def test_a_problem_is_named_with_file_and_path(changes: dict[str, Any], problem: str, problems):
    [said] = problems(**changes)
    assert said.startswith(problem)


def test_all_problems_are_named_at_once(problems):
    assert len(problems(client_id=None, colour="red", recheck_minutes=-1)) == 3


def test_a_secret_is_not_repeated(problems):
    assert "hunter2" not in str(problems(client_secret=["hunter2"]))
    assert problems(client_secret="hunter2") == []
    assert "hunter2" not in repr(providers())


def test_an_id_counts_once(settings):
    settings.OIDC_PROVIDERS = json.dumps({"providers": [BASE, BASE]})
    with pytest.raises(ProvidersError, match="two providers have the id p"):
        read_providers()


@pytest.mark.parametrize("text", ["providers: [", "\xff".encode("latin-1").decode("latin-1") + ": [", "{", "- 1", "7"])
def test_what_is_no_file_of_providers(text: str, settings, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    settings.OIDC_PROVIDERS = str(path)
    with pytest.raises(ProvidersError, match=re.escape(str(path))):
        read_providers()


def test_a_file_that_is_not_there(settings):
    settings.OIDC_PROVIDERS = "/no/such/file.yaml"
    with pytest.raises(ProvidersError, match="cannot be read: No such file"):
        read_providers()


def test_operators_get_in_although_the_file_is_broken(settings, browser, olga):
    settings.OIDC_PROVIDERS, settings.LOCAL_SIGN_IN = "/no/such/file.yaml", False
    olga.set_password("a-long-secret")
    olga.save()
    assert browser.get("/accounts/login/?operator").status_code == 200
    browser.post("/accounts/login/?operator", {"login": "olga", "password": "a-long-secret"})
    assert browser.get("/").status_code == 200


def test_a_secret_that_vanishes_breaks_no_page(problems, tmp_path, browser):
    secret = tmp_path / "secret"
    secret.write_text("s")
    problems(client_secret_file=str(secret))
    secret.unlink()
    assert browser.get("/accounts/login/").status_code == 200


def test_where_secrets_come_from(problems, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    assert problems(client_secret_file=str(secret)) == []
    assert client_secret(provider("p")) == "from a file"
    secret.write_text("rotated")
    assert client_secret(provider("p")) == "rotated"
    monkeypatch.setenv("OIDC_SECRET", "from a variable")
    problems(client_secret_env="OIDC_SECRET")
    assert client_secret(provider("p")) == "from a variable"


def test_the_checks_name_problems(settings):
    settings.OIDC_PROVIDERS = "/no/such/file.yaml"
    assert [each.id for each in run_checks() if each.id and each.id.startswith("aigc.")] == ["aigc.E061"]
    settings.OIDC_PROVIDERS, settings.LOCAL_SIGN_IN = "", False
    assert [each.id for each in run_checks() if each.id and each.id.startswith("aigc.")] == ["aigc.E062"]


PRESETS = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_guide_s_examples_are_good(preset: str):
    assert Providers.model_validate(yaml.safe_load(preset)).providers


def test_the_guide_names_every_key_and_every_kind_of_provider():
    guide = GUIDE.read_text(encoding="utf-8")
    schema = Providers.model_json_schema()["$defs"]
    keys = {key for model in ("Provider", "Grant") for key in schema[model]["properties"]}
    assert keys <= set(re.findall(r"`(\w+)`", guide))
    assert all(f"### {name}" in guide for name in ("Logto", "Keycloak", "Microsoft Entra ID", "Okta", "Google"))
    assert len(PRESETS) >= 5
