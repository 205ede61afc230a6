"""From HTTP to the verbs: paths, tokens, permissions, faults, and the record of every call."""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tests.kubernetes.double.api import Api
from tests.kubernetes.double.errors import ApiError, injected, method_not_allowed, no_such_path, unauthorized
from tests.kubernetes.double.faults import Fault, Faults
from tests.kubernetes.double.http import Exchange, Request, flag
from tests.kubernetes.double.rbac import Attributes, Authorizer
from tests.kubernetes.double.resources import BY_PATH, NAMESPACES, Resource, discovery

OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


class Call(NamedTuple):
    """One request that was answered, or not (status 0)."""

    method: str
    path: str
    query: Mapping[str, str]
    status: int
    verb: str
    user: str


class Target(NamedTuple):
    """What a path names."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str] = {}


Handler = Callable[[Target, str, Exchange, str], Answer | None]


class Server:
    """Answers each exchange; a handler that gives None answers by itself, now or later."""

    def __init__(self, api: Api, authorizer: Authorizer, handler: Handler, without: Collection[str] = ()) -> None:
        self.api, self.authorizer, self.handler, self.without = api, authorizer, handler, frozenset(without)
        self.faults = Faults()
        self.tokens: dict[str, str] = {}
        self.calls: list[Call] = []

    def handle(self, exchange: Exchange) -> None:
        """Take a request; a fault may delay, replace or cut its answer."""
        request = exchange.request
        user = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "), "")
        target = parse(request.path)
        verb = verb_of(target, request)
        fault = self.faults.strike((verb, request.method), request.path, user)
        if fault and fault.delay:
            asyncio.get_running_loop().call_later(fault.delay, self.answer, exchange, user, target, fault)
        else:
            self.answer(exchange, user, target, fault)

    def answer(self, exchange: Exchange, user: str, target: Target | None, fault: Fault | None) -> None:
        request = exchange.request
        verb = verb_of(target, request)
        answer: Answer | None = None
        try:
            if fault and not fault.after:
                strike(fault)
            answer = self.routed(exchange, user, target, verb)
            if fault and fault.after:
                strike(fault)
        except ApiError as error:
            answer = refusal(error)
        except Cut:
            self.calls.append(Call(request.method, request.path, request.query, 0, verb, user))
            exchange.abort()
            return
        self.calls.append(Call(request.method, request.path, request.query, answer.status if answer else 200, verb, user))
        if answer:
            exchange.respond(answer.status, answer.body, dict(answer.headers))

    def routed(self, exchange: Exchange, user: str, target: Target | None, verb: str) -> Answer | None:
        request = exchange.request
        if request.path in ("/healthz", "/livez", "/readyz"):
            return Answer(200, b"ok", {"Content-Type": "text/plain"})
        if not user:
            raise unauthorized()
        if target is None:
            found = discovery(request.path.rstrip("/"), self.without)
            if found is None:
                raise no_such_path()
            return Answer(200, encoded(found))
        if not verb:
            raise method_not_allowed()
        resource = target.resource
        namespace = target.name if resource is NAMESPACES else target.namespace
        wanted = Attributes(verb, resource.group, resource.plural, target.subresource, target.name, namespace)
        self.authorizer.check(user, wanted)
        if resource.group in self.without:  # only who may is told, as a real server asks for rights first
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"})
        if self.would_create(target, verb, request):
            self.authorizer.check(user, replace(wanted, verb="create"))
        return self.handler(target, verb, exchange, user)

    def would_create(self, target: Target, verb: str, request: Request) -> bool:
        """Tell whether it applies what is not there, for which the right to patch does not suffice."""
        applies = verb == "patch" and "apply-patch" in request.headers.get("content-type", "")
        return applies and self.api.store.get(target.resource, target.namespace, target.name) is None


class Cut(Exception):
    """The connection is to be cut instead of an answer."""


def strike(fault: Fault) -> None:
    if fault.drop:
        raise Cut
    if fault.status:
        raise injected(fault.status, fault.retry_after)


def refusal(error: ApiError) -> Answer:
    after = error.details.get("retryAfterSeconds")
    return Answer(error.code, encoded(error.status()), {} if after is None else {"Retry-After": str(after)})


def encoded(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def parse(path: str) -> Target | None:
    """Read `/api/v1/…` and `/apis/<group>/<version>/…`; None for what names no kind that is served."""
    parts = path.strip("/").split("/")
    group, parts = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
    if len(parts) < 2:
        return None
    version, parts, namespace = parts[0], parts[1:], ""
    if parts[0] == "namespaces" and len(parts) > 2 and not (group == "" and parts[2] in ("status", "finalize")):
        namespace, parts = parts[1], parts[2:]
    resource = BY_PATH.get((group, version, parts[0]))
    if resource is None or len(parts) > 3:
        return None
    name, subresource = [*parts[1:], "", ""][:2]
    known = not subresource or subresource in resource.subresources
    return Target(resource, namespace, name, subresource) if known else None


def verb_of(target: Target | None, request: Request) -> str:
    """Name the verb as RBAC knows it."""
    if target is None:
        return ""
    if target.name:
        return OBJECT_VERBS.get(request.method, "")
    verb = COLLECTION_VERBS.get(request.method, "")
    return "watch" if verb == "list" and flag(request.query, "watch") else verb
