"""Each verb on each path: reads the request, calls the API, writes the answer."""

from collections.abc import Callable
from typing import Any

from tests.kubernetes.double.api import Api, Writer, contents
from tests.kubernetes.double.errors import ApiError, bad_request, method_not_allowed
from tests.kubernetes.double.http import Exchange, Request, flag
from tests.kubernetes.double.patches import json_patch, merge_patch, strategic_merge_patch
from tests.kubernetes.double.rbac import Attributes, Authorizer
from tests.kubernetes.double.resources import ACCESS_REVIEWS, POD_METRICS, PODS, Document
from tests.kubernetes.double.selectors import selector
from tests.kubernetes.double.server import Answer, Target, encoded
from tests.kubernetes.double.watches import Watches, page

Logs = Callable[[Document, dict[str, str]], bytes]
Metrics = Callable[[str, str], Document]
Evict = Callable[[Document, Document], None]
JSON_PATCH = "application/json-patch+json"
APPLY = ("application/apply-patch+yaml", "application/apply-patch+json")
MERGES = {"application/merge-patch+json": merge_patch, "application/strategic-merge-patch+json": strategic_merge_patch}


class Handlers:
    """The table of verbs; called by the server after permission was given."""

    def __init__(self, api: Api, watches: Watches, authorizer: Authorizer) -> None:
        self.api, self.watches, self.authorizer = api, watches, authorizer
        self.logs: Logs = lambda _pod, _query: b""
        self.evict: Evict = lambda _pod, _options: None
        self.metrics: Metrics = lambda _namespace, _name: {}

    def __call__(self, target: Target, verb: str, exchange: Exchange, user: str) -> Answer | None:
        request = exchange.request
        if verb == "watch":
            self.watches.start(target.resource, target.namespace, exchange)
            return None
        if target.subresource in ("log", "eviction", "scale"):
            return getattr(self, target.subresource)(target, verb, request)
        if target.resource is ACCESS_REVIEWS:
            return self.review(request, user)
        if target.resource is POD_METRICS:
            return Answer(200, encoded(self.metrics(target.namespace, target.name)))
        return getattr(self, verb)(target, request)

    def get(self, target: Target, request: Request) -> Answer:
        return Answer(200, self.api.get(target.resource, target.namespace, target.name).raw)

    def list(self, target: Target, request: Request) -> Answer:
        return Answer(200, page(self.api.store, target.resource, target.namespace, request.query))

    def create(self, target: Target, request: Request) -> Answer:
        if target.name:
            raise method_not_allowed()
        return Answer(201, encoded(self.api.create(target.resource, target.namespace, body(request), writer(request))))

    def update(self, target: Target, request: Request) -> Answer:
        new = body(request)
        return self.changed(target, request, lambda _: new)

    def patch(self, target: Target, request: Request) -> Answer:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind in APPLY:
            return self.apply(target, request)
        patch = body(request)
        if kind == JSON_PATCH:
            return self.changed(target, request, lambda old: json_patch(old, patch))
        merging = MERGES.get(kind)
        if merging is None:
            told = "the body of the request was in an unknown format - accepted media types include: "
            raise ApiError(415, "UnsupportedMediaType", told + ", ".join([JSON_PATCH, *MERGES, *APPLY]))
        return self.changed(target, request, lambda old: merging(old, patch))

    def changed(self, target: Target, request: Request, edit: Callable[[Document], Document]) -> Answer:
        done = self.api.change(target.resource, target.namespace, target.name, edit, writer(request), target.subresource)
        return Answer(200, encoded(done))

    def apply(self, target: Target, request: Request) -> Answer:
        document = body(request)
        if not request.query.get("fieldManager"):
            told = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            raise ApiError(422, "Invalid", told, group="meta.k8s.io", kind="PatchOptions")
        metadata = document.setdefault("metadata", {})
        if "managedFields" in metadata:
            raise bad_request("metadata.managedFields must be nil")
        metadata.setdefault("name", target.name)
        if target.namespace:
            metadata.setdefault("namespace", target.namespace)
        status, done = self.api.apply(target.resource, target.namespace, document, writer(request), target.subresource)
        return Answer(status, encoded(done))

    def delete(self, target: Target, request: Request) -> Answer:
        options = delete_options(request)
        dry = request.query.get("dryRun") == "All" or options.get("dryRun") == ["All"]
        return Answer(200, encoded(self.api.delete(target.resource, target.namespace, target.name, options, dry_run=dry)))

    def deletecollection(self, target: Target, request: Request) -> Answer:
        chosen = selector(target.resource, request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        gone = [each for each in self.api.store.all(target.resource, target.namespace) if chosen is None or chosen(each)]
        for each in gone:
            self.api.delete(
                target.resource, each["metadata"].get("namespace", ""), each["metadata"]["name"], delete_options(request)
            )
        kind = f"{target.resource.kind}List"
        metadata = {"resourceVersion": str(self.api.store.version)}
        return Answer(
            200, encoded({"kind": kind, "apiVersion": target.resource.api_version, "metadata": metadata, "items": gone})
        )

    # subresources and reviews

    def log(self, target: Target, verb: str, request: Request) -> Answer:
        pod = self.api.get(PODS, target.namespace, target.name)
        return Answer(200, self.logs(pod, request.query), {"Content-Type": "text/plain"})

    def eviction(self, target: Target, verb: str, request: Request) -> Answer:
        pod = self.api.get(PODS, target.namespace, target.name)
        self.evict(pod, (body(request) or {}).get("deleteOptions") or {})
        return Answer(201, encoded({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}))

    def scale(self, target: Target, verb: str, request: Request) -> Answer:
        old = self.api.get(target.resource, target.namespace, target.name)
        if verb == "get":
            return Answer(200, encoded(scale_of(old)))
        asked = scaled(request, scale_of(old))

        def edit(document: Document) -> Document:
            document["spec"]["replicas"] = asked["spec"].get("replicas", 0)
            if version := asked["metadata"].get("resourceVersion"):
                document["metadata"]["resourceVersion"] = version
            return document

        done = self.api.change(target.resource, target.namespace, target.name, edit, writer(request))
        return Answer(200, encoded(scale_of(done)))

    def review(self, request: Request, user: str) -> Answer:
        asked = body(request)
        about = asked["spec"].get("resourceAttributes") or {}
        names = ("verb", "group", "resource", "subresource", "name", "namespace")
        allowed = self.authorizer.allows(user, Attributes(**{name: about.get(name, "") for name in names}))
        head = {"kind": "SelfSubjectAccessReview", "apiVersion": ACCESS_REVIEWS.api_version, "metadata": {}}
        return Answer(201, encoded({**head, "spec": contents(asked)["spec"], "status": {"allowed": allowed}}))


def body(request: Request) -> Any:
    """Read what was sent; 400 if it cannot be read."""
    try:
        return request.document()
    except ValueError as error:
        raise bad_request(f"error decoding the request: {error}") from error


def writer(request: Request) -> Writer:
    """Tell who writes: the field manager, or the first word of the client's name as the server does it."""
    query = request.query
    manager = query.get("fieldManager") or request.headers.get("user-agent", "unknown").partition("/")[0]
    strict = query.get("fieldValidation") == "Strict"
    return Writer(manager, dry_run=query.get("dryRun") == "All", strict=strict, force=flag(query, "force"))


def delete_options(request: Request) -> Document:
    options: Document = dict(body(request) or {})
    for name in ("gracePeriodSeconds", "propagationPolicy"):
        if name in request.query:
            value = request.query[name]
            options[name] = int(value) if name == "gracePeriodSeconds" else value
    return options


def scale_of(document: Document) -> Document:
    metadata = {name: document["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    chosen = (document["spec"].get("selector") or {}).get("matchLabels") or {}
    status = {
        "replicas": (document.get("status") or {}).get("replicas", 0),
        "selector": ",".join(f"{k}={v}" for k, v in chosen.items()),
    }
    replicas = document["spec"].get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas},
        "status": status,
    }


def scaled(request: Request, scale: Document) -> Document:
    """Apply a PUT or PATCH to a Scale."""
    asked = body(request)
    kind = request.headers.get("content-type", "").partition(";")[0]
    if request.method == "PUT":
        return {"metadata": {}, **asked}
    return json_patch(scale, asked) if kind == JSON_PATCH else merge_patch(scale, asked)
