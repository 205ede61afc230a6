"""Lists in pages, and watches: streams of changes from a version on."""

import asyncio
import base64
import json
from collections.abc import Callable

from tests.kubernetes.double.errors import ApiError, bad_request, expired
from tests.kubernetes.double.http import Exchange, flag
from tests.kubernetes.double.resources import Document, Resource
from tests.kubernetes.double.selectors import Test, selector
from tests.kubernetes.double.store import Change, Store, Stored

INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


def page(store: Store, resource: Resource, namespace: str, query: dict[str, str]) -> bytes:
    """Give a list as its bytes, made of the bytes of its objects; 410 for a token of before the last compaction."""
    check_version(store, query)
    chosen = selector(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    limit, after = int(query.get("limit") or 0), None
    if token := query.get("continue"):
        after = read_token(store, token)
    found: list[Stored] = []
    rest = 0
    for key in store.keys(resource):
        if (namespace and key[0] != namespace) or (after is not None and key <= after):
            continue
        document = store.objects[resource][key]
        if chosen is not None and not chosen(document):
            continue
        if limit and len(found) == limit:
            rest += 1
        else:
            found.append(document)
    metadata: Document = {"resourceVersion": str(store.version)}
    if rest:
        last = found[-1]["metadata"]
        metadata["continue"] = write_token(store, (last.get("namespace", ""), last["name"]))
        metadata |= {"remainingItemCount": rest} if chosen is None else {}
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
    return json.dumps(head, separators=(",", ":"))[:-1].encode() + b',"items":[' + b",".join([each.raw for each in found]) + b"]}"


def check_version(store: Store, query: dict[str, str]) -> None:
    asked = query.get("resourceVersion", "")
    if not asked:
        return
    if not asked.isdigit():
        raise bad_request(f"invalid resource version: {asked}")
    if int(asked) > store.version:
        why = f"Too large resource version: {asked}, current: {store.version}"
        raise ApiError(504, "Timeout", f"Timeout: {why}", retryAfterSeconds=1)
    if query.get("resourceVersionMatch") == "Exact" and int(asked) < store.compacted:
        raise expired(int(asked), store.compacted)


def write_token(store: Store, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps({"rv": store.version, "start": key}).encode()).decode()


def read_token(store: Store, token: str) -> tuple[str, str]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token))
        version, (namespace, name) = int(read["rv"]), read["start"]
    except (ValueError, KeyError) as error:
        raise bad_request("continue key is not valid") from error
    if version < store.compacted:
        told = "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
        raise ApiError(410, "Expired", told + "the continue parameter.")
    return namespace, name


class Watch:
    """One open stream."""

    def __init__(self, store: Store, resource: Resource, namespace: str, exchange: Exchange) -> None:
        query = exchange.request.query
        self.store, self.resource, self.namespace, self.exchange = store, resource, namespace, exchange
        self.test: Test | None = selector(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        self.bookmarks = flag(query, "allowWatchBookmarks")
        self.silent = False

    def fits(self, document: Document) -> bool:
        if self.namespace and document["metadata"].get("namespace") != self.namespace:
            return False
        return self.test is None or self.test(document)

    def tell(self, change: Change) -> None:
        """Send a change; an object that begins or ceases to match is added or deleted for this watch."""
        if self.silent or (self.namespace and change.document["metadata"].get("namespace") != self.namespace):
            return
        kind = change.type
        if self.test is not None:
            now = self.test(change.document)
            before = self.test(change.previous) if change.previous is not None else kind == "DELETED"
            if not now and not before:
                return
            if kind == "MODIFIED":
                kind = "MODIFIED" if now and before else "ADDED" if now else "DELETED"
        self.exchange.write(change.line(kind))

    def bookmark(self, annotations: Document | None = None) -> None:
        if self.bookmarks and not self.silent:
            metadata: Document = {"resourceVersion": str(self.store.version), "creationTimestamp": None}
            metadata |= {"annotations": annotations} if annotations else {}
            self.event("BOOKMARK", {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata})

    def event(self, kind: str, document: Document) -> None:
        self.exchange.write(json.dumps({"type": kind, "object": document}, separators=(",", ":")).encode() + b"\n")


class Watches:
    """All open streams, and what may happen to them."""

    def __init__(self, store: Store, bookmark_seconds: float) -> None:
        self.store, self.bookmark_seconds = store, bookmark_seconds
        self.open: set[Watch] = set()
        self.gone_as_http = False

    async def send_bookmarks(self) -> None:
        """Tell every watch that asked for it how far it is, for ever."""
        while True:
            await asyncio.sleep(self.bookmark_seconds)
            for watch in list(self.open):
                watch.bookmark()

    def start(self, resource: Resource, namespace: str, exchange: Exchange) -> None:
        """Answer a request for a watch; an old version ends the stream with an ERROR event, as recorded."""
        query = exchange.request.query
        watch = Watch(self.store, resource, namespace, exchange)
        asked = query.get("resourceVersion", "")
        try:
            check_version(self.store, query)
            missed = self.store.since(resource, int(asked)) if asked not in ("", "0") else []
        except ApiError as error:
            if self.gone_as_http or error.code != 410:
                raise
            exchange.stream()
            watch.event("ERROR", error.status())
            exchange.finish()
            return
        exchange.stream()
        if asked in ("", "0"):
            for document in filter(watch.fits, self.store.all(resource, namespace)):
                watch.tell(Change(0, "ADDED", document, None))
        for change in missed:
            watch.tell(change)
        if flag(query, "sendInitialEvents"):
            watch.bookmark(INITIAL_EVENTS_END)
        self.keep(watch)

    def keep(self, watch: Watch) -> None:
        tell = watch.tell
        watchers = self.store.watchers[watch.resource]
        watchers.add(tell)
        self.open.add(watch)
        timers: list[asyncio.TimerHandle] = []
        if seconds := watch.exchange.request.query.get("timeoutSeconds"):
            timers.append(asyncio.get_running_loop().call_later(float(seconds), self.time_out, watch))

        def end() -> None:
            watchers.discard(tell)
            self.open.discard(watch)
            for timer in timers:
                timer.cancel()

        watch.exchange.on_end = end

    def time_out(self, watch: Watch) -> None:
        watch.bookmark()
        if not watch.silent:
            watch.exchange.finish()

    def chosen(self, plural: str) -> list[Watch]:
        return [watch for watch in self.open if plural in ("", watch.resource.plural)]

    def each(self, plural: str, act: Callable[[Watch], None]) -> int:
        """Do something to every watch of a kind, or to all; gives their number."""
        watches = self.chosen(plural)
        for watch in watches:
            act(watch)
        return len(watches)


def drop(watch: Watch) -> None:
    """Cut it without a last chunk."""
    watch.exchange.abort()


def finish(watch: Watch) -> None:
    """End it as the server does when it shuts down in good order."""
    watch.exchange.finish()


def silence(watch: Watch) -> None:
    """Keep it open and never say anything again: a connection that died without a word."""
    watch.silent = True
