"""The providers that AIGC_OIDC_PROVIDERS names: a YAML or JSON file, or JSON itself; read once in the life of a process."""

import logging
import os
from functools import lru_cache
from pathlib import Path

import yaml
from django.conf import settings
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tenants.sign_in.schema import Provider, Providers

log = logging.getLogger(__name__)
VARIABLE = "AIGC_OIDC_PROVIDERS"


class ProvidersError(Exception):
    """The providers cannot be used; `problems` holds one line each, as `file: path.to.field: problem`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def providers() -> tuple[Provider, ...]:
    """Return the providers in the order of the file.

    None without the variable, nor if it cannot be used: operators must still get in, by their passwords.
    """
    return _usable(settings.OIDC_PROVIDERS)


def read_providers() -> tuple[Provider, ...]:
    """Return the same. Raises ProvidersError."""
    return _read(settings.OIDC_PROVIDERS)


def is_usable() -> bool:
    """Tell whether `providers` are those that the variable names, not none because it cannot be used."""
    try:
        read_providers()
    except ProvidersError:
        return False
    return True


def provider(provider_id: str) -> Provider | None:
    """Return the provider of this id, None for one that is not there (any more)."""
    return next((each for each in providers() if each.id == provider_id), None)


def client_secret(provider: Provider) -> str:
    """Return the client's secret, empty for a public client. Read anew each time: a mounted file may be rotated."""
    if provider.client_secret_file:
        return Path(provider.client_secret_file).read_text(encoding="utf-8").strip()
    if provider.client_secret_env:
        return os.environ[provider.client_secret_env]
    return provider.client_secret


@lru_cache(maxsize=16)
def _usable(source: str) -> tuple[Provider, ...]:
    try:
        return _read(source)
    except ProvidersError as error:
        log.error("nobody can sign in by a provider: %s", error)  # noqa: TRY400 - its text says it all
        return ()


@lru_cache(maxsize=16)
def _read(source: str) -> tuple[Provider, ...]:
    if not source.strip():
        return ()
    inline = source.lstrip().startswith("{")
    where = VARIABLE if inline else source
    try:
        text = source if inline else Path(source).read_text(encoding="utf-8")
        found = Providers.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise ProvidersError([f"{where}: cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProvidersError([f"{where}: is neither YAML nor JSON: {str(error).splitlines()[0]}"]) from error
    except ValidationError as error:
        # What was given is not repeated: it may be a secret.
        details = error.errors(include_url=False, include_input=False)
        raise ProvidersError([f"{where}: {_in_words(each)}" for each in details]) from None
    if problems := [problem for index, each in enumerate(found.providers) for problem in _secret_problems(index, each)]:
        raise ProvidersError([f"{where}: {problem}" for problem in problems])
    return found.providers


def _secret_problems(index: int, provider: Provider) -> list[str]:
    try:
        empty = (provider.client_secret_file or provider.client_secret_env) and not client_secret(provider)
    except OSError as error:
        return [f"providers[{index}].client_secret_file: {provider.client_secret_file} cannot be read: {error.strerror}"]
    except KeyError:
        return [f"providers[{index}].client_secret_env: the variable {provider.client_secret_env} is not set"]
    return [f"providers[{index}]: the client's secret is empty"] if empty else []


def _in_words(details: ErrorDetails) -> str:
    location = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"]).lstrip(".")
    match details["type"]:
        case "missing":
            text = "is required"
        case "extra_forbidden":
            text = "is not a known key"
        case "value_error":
            text = str(details["ctx"]["error"])
        case _:
            text = "must" + details["msg"].partition(" should")[2] if " should" in details["msg"] else details["msg"]
    return f"{location}: {text}" if location else text
