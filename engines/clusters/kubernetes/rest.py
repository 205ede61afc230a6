"""A cluster's API over HTTP: the official client's connection and credentials, and objects as the plain JSON that they are.

The client's models are left out: they make up most of the time and memory of a list of ten thousand Pods.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from engines.clusters.base import ClusterUnavailable

log = logging.getLogger(__name__)

Json = dict[str, Any]
FIELD_MANAGER = "aigc-portal"
PAGE = 500
_CONNECT_SECONDS = 3.0
_PATIENCE_SECONDS = 3.0  # how long a request waits because the server asked it to
_ANOTHER_UID = re.compile(r"UID in (the )?precondition")  # in the words of newer servers and of older ones
_BUSY = frozenset({429, 503})
_POOL = re.compile(r"HTTPS?Connection(?:Pool)?\(host='?([^',]+)'?, port=(\d+)\)")  # as urllib3 says where


class ApiError(Exception):
    """The API server's refusal: HTTP `status`, `reason` and `message` of its Status object, as in Kubernetes' API conventions."""

    def __init__(self, status: int, reason: str, message: str, causes: Sequence[Json] = ()) -> None:
        """Keep what tells refusals apart."""
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message
        self.causes = tuple(causes)


@dataclass(frozen=True)
class Page:
    """A part of a list, and the version of the whole of it that a watch can begin at."""

    items: Sequence[Json]
    resource_version: str


class Rest:
    """One cluster's API; safe to share between threads. Paths are as in the API reference, from the root.

    Raises ApiError for refusals that callers have to tell apart, ClusterUnavailable for everything that may pass by itself:
    no connection, no answer in time, credentials refused, too many requests, errors of the server's own.
    """

    def __init__(self, connect: Callable[[], ApiClient], *, timeout_seconds: float = 10.0) -> None:
        """Connect when first asked; `connect` reads the credentials anew."""
        self._connect = connect
        self._timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, timeout_seconds), read=timeout_seconds)
        self._client: ApiClient | None = None
        self._lock = threading.Lock()

    # --- reading ---

    def get(self, path: str, **query: object) -> Json:
        """Read one object."""
        return self._json("GET", path, query)

    def find(self, path: str, **query: object) -> Json | None:
        """Read one object; None if it is not there."""
        try:
            return self.get(path, **query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def pages(self, path: str, **query: object) -> Iterator[Page]:
        """Read a list in pieces of 500, so that no answer is large."""
        proceed = ""
        while True:
            answer = self.get(path, limit=PAGE, **query, **({"continue": proceed} if proceed else {}))
            about = answer.get("metadata") or {}
            yield Page(answer.get("items") or (), about.get("resourceVersion", ""))
            proceed = about.get("continue", "")
            if not proceed:
                return

    def items(self, path: str, **query: object) -> Iterator[Json]:
        """Read a whole list, object by object."""
        for page in self.pages(path, **query):
            yield from page.items

    def text(self, path: str, **query: object) -> bytes:
        """Read what is no JSON, such as a log."""
        return self._request("GET", path, query)

    def watch(self, path: str, *, silence_seconds: float, **query: object) -> Iterator[Json]:
        """Yield watch events, `{"type", "object"}`, until the server or `silence_seconds` without any end it."""
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=silence_seconds)
        with _network(), self._open("GET", path, {"watch": "true", **query}, timeout=timeout) as answer:
            try:
                yield from _lines(answer)
            except urllib3.exceptions.ReadTimeoutError:
                return

    # --- writing ---

    def create(self, path: str, document: Mapping[str, Any], **query: object) -> Json:
        """Create an object in the collection `path`."""
        return self._json("POST", path, {"fieldManager": FIELD_MANAGER, **query}, body=document)

    def ensure(self, path: str, document: Mapping[str, Any]) -> None:
        """Create an object in the collection `path`, unless one of its name is there; that is left as it is."""
        try:
            self.create(path, document)
        except ApiError as error:
            if error.reason != "AlreadyExists":  # 409 is also a quota that somebody else used at the same moment
                raise

    def apply(self, path: str, document: Mapping[str, Any]) -> Json:
        """Server-side apply: make the fields of the document what it says, and take back those that it said before."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._json("PATCH", path, query, body=document, content_type="application/apply-patch+yaml")

    def patch(self, path: str, operations: Sequence[Json]) -> Json:
        """JSON patch (RFC 6902), whole or not at all; ApiError 422 if one of its tests fails."""
        query = {"fieldManager": FIELD_MANAGER}
        return self._json("PATCH", path, query, body=operations, content_type="application/json-patch+json")

    def merge(self, path: str, document: Mapping[str, Any]) -> Json:
        """JSON merge patch (RFC 7386)."""
        query = {"fieldManager": FIELD_MANAGER}
        return self._json("PATCH", path, query, body=document, content_type="application/merge-patch+json")

    def delete(self, path: str, *, uid: str = "", grace_seconds: int | None = None) -> bool:
        """Delete an object, that with this UID alone, its dependents in the background; False if it is not there any more."""
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self._json("DELETE", path, {}, body=options)
        except ApiError as error:
            # Another UID: the object of that name is another one now, so that ours is gone.
            if error.status == 404 or (error.status == 409 and uid and _ANOTHER_UID.search(error.message)):
                return False
            raise
        return True

    # --- the wire ---

    def _json(self, method: str, path: str, query: Mapping[str, object], **sent: Any) -> Json:
        body = self._request(method, path, query, **sent)
        with _network():  # a proxy on the way may answer with a page
            answer = json.loads(body)
        return answer if isinstance(answer, dict) else {}

    def _request(self, method: str, path: str, query: Mapping[str, object], **sent: Any) -> bytes:
        """Ask; wait and ask again while the server asks for patience and this is no longer than a moment."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with _network(), self._open(method, path, query, **sent) as answer:
                body = bytes(answer.read(decode_content=True))
                status, wait = answer.status, _retry_after(answer)
            if status < 400:
                return body
            if status in _BUSY and wait is not None and time.monotonic() + wait < deadline:
                time.sleep(wait)
                continue
            raise _refusal(status, body)

    @contextmanager
    def _open(self, method: str, path: str, query: Mapping[str, object], **sent: Any) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send one request, with fresh credentials if the present ones are refused; the connection is free again afterwards."""
        client = self._client or self._reconnect(None)
        answer = self._send(client, method, path, query, **sent)
        if answer.status == 401:
            answer.drain_conn()
            client = self._reconnect(client)
            answer = self._send(client, method, path, query, **sent)
        try:
            if answer.status >= 400 and "watch" in query:
                raise _refusal(answer.status, answer.read(decode_content=True))
            yield answer
        finally:
            if "watch" in query:  # seldom read to its end, so its connection cannot be used again
                answer.close()
            answer.release_conn()

    def _send(  # noqa: PLR0913 - a request is that many things
        self,
        client: ApiClient,
        method: str,
        path: str,
        query: Mapping[str, object],
        *,
        body: object = None,
        content_type: str = "application/json",
        timeout: urllib3.Timeout | None = None,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        parameters: list[tuple[str, object]] = [(name, value) for name, value in query.items() if value not in {None, ""}]
        client.update_params_for_auth(headers, parameters, ["BearerToken"])
        answer = client.rest_client.pool_manager.request(
            method,
            f"{client.configuration.host}{path}" + (f"?{urlencode(parameters)}" if parameters else ""),
            body=None if body is None else json.dumps(body),
            headers=headers,
            timeout=timeout or self._timeout,
            preload_content=False,
        )
        log.debug("%s %s %s", answer.status, method, path)
        return answer  # type: ignore[no-any-return]

    def _reconnect(self, refused: ApiClient | None) -> ApiClient:
        """Read the credentials anew, unless somebody else just did."""
        with self._lock:
            if self._client is None or self._client is refused:
                self._client = self._connect()
            return self._client


@contextmanager
def _network() -> Iterator[None]:
    """Turn everything that can happen on the way into ClusterUnavailable, in the words of whoever noticed it."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, json.JSONDecodeError) as error:
        raise ClusterUnavailable(f"the API server cannot be reached: {_plainly(error)}") from error


def _plainly(error: Exception) -> str:
    """Say what the way ended at, and where, without the names of a library's classes."""
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    return _POOL.sub(r"\1:\2", str(cause))


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[Json]:
    """Split a stream into its JSON lines; a last one that was cut off is dropped, since the next watch has it again."""
    rest = b""
    for chunk in answer.stream(65_536, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _retry_after(answer: urllib3.BaseHTTPResponse) -> float | None:
    try:
        return float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None


def _refusal(status: int, body: bytes) -> Exception:
    """Read the server's Status object, or whatever a proxy on the way says instead."""
    try:
        said = json.loads(body)
        message, reason = str(said.get("message", "")), str(said.get("reason", ""))
        causes = (said.get("details") or {}).get("causes") or ()
    except (ValueError, AttributeError):
        message, reason, causes = body[:500].decode(errors="replace"), "", ()
    if status in {401, 408} or status in _BUSY or status >= 500:
        return ClusterUnavailable(f"the API server answered {status} {reason}: {message}")
    return ApiError(status, reason, message, causes)
