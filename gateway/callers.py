"""Who asks for an engine: a person with a pass, or a program with an API token. Pure."""

from typing import NamedTuple


class Visitor(NamedTuple):
    """Who a pass says is visiting."""

    user_id: int
    session: str


class ApiClient(NamedTuple):
    """A program, known by the digest of its token."""

    digest: str


Caller = Visitor | ApiClient


class TokenFacts(NamedTuple):
    """What the gateway must know of a live API token to judge a request."""

    token_id: int
    may_wake: bool
    rules: tuple[str, ...]
    networks: tuple[str, ...]
