"""Programs with tokens, and the API as they see it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client

from tenants.access_tokens.operations import Made, Wanted, make_personal_token
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership, User

EVERY_SCOPE = list(Scope)


class Program:
    """A client that sends an access token with each request, and JSON."""

    def __init__(self, secret: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"authorization": f"Bearer {secret}"} if secret else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        options = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.client.generic(method, f"/api/v1{path}", headers=sent, **_encoded(options))


def _encoded(options: dict[str, Any]) -> dict[str, Any]:
    return options | {"data": json.dumps(options["data"])} if "data" in options else options


@pytest.fixture(autouse=True)
def empty_valkey(valkey: redis.Redis) -> None:
    """Requests are counted there."""


@pytest.fixture
def make_token(db: None) -> Callable[..., Made]:
    def make(user: User, *, membership: Membership | None = None, scopes: list[str] = EVERY_SCOPE, days: int = 7) -> Made:
        return make_personal_token(person=user, membership=membership, wanted=Wanted("a program", scopes, timedelta(days=days)))

    return make


@pytest.fixture
def program_of(make_token: Callable[..., Made]) -> Callable[..., Program]:
    """Return a program that acts as somebody."""

    def of(user: User, **options: Any) -> Program:
        return Program(make_token(user, **options).secret)

    return of


@pytest.fixture
def alices(alice: User, program_of: Callable[..., Program]) -> Program:
    return program_of(alice)
