"""The portal's API: one request at a time, sent again where that is safe, with refusals turned into sentences.

Every request may be repeated: reads and deletions by their nature, changes because they name the wanted state, and POSTs because
each carries an Idempotency-Key of its own. So a lost connection, a busy portal and a portal that restarts are waited for.
"""

import itertools
import locale
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from aigc import __version__
from aigc.failures import Away, Failure, Misused, NotFound, NotSignedIn
from aigc.settings import Access

Json = dict[str, Any]
PATIENCE_SECONDS = 60.0
BACKOFF_SECONDS = (0.2, 0.5, 1.0)
"""Before the second, third and fourth attempt at a portal that cannot be reached."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PAGE = 200


def patience() -> float:
    """Return for how many seconds a portal that is busy or away is waited for: AIGC_PATIENCE, else 60."""
    text = os.environ.get("AIGC_PATIENCE", "")
    try:
        return max(0.0, float(text)) if text else PATIENCE_SECONDS
    except ValueError as error:
        raise Misused(f"AIGC_PATIENCE is a number of seconds, not {text}.") from error


@dataclass
class Api:
    """The API of one portal, as one token sees it; close it after use."""

    access: Access
    patience: float = field(default_factory=patience)

    def __post_init__(self) -> None:
        base, host = _reachable(self.access.address)
        headers = {
            "Authorization": f"Bearer {self.access.token}",
            "Accept": "application/json, application/problem+json",
            "Accept-Language": _language(),
            "User-Agent": f"aigc/{__version__}",
        } | host
        try:
            self._client = httpx.Client(base_url=f"{base}/api/v1", headers=headers, timeout=TIMEOUT)
        except (UnicodeError, ValueError) as error:
            raise NotSignedIn("The token is not text as a header takes it. Copy it again, whole.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._send("GET", path, params=_given(query))

    def post(self, path: str, body: Json | None = None) -> Any:
        """Ask for something once, however often it has to be sent."""
        return self._send("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    def patch(self, path: str, body: Json) -> Any:
        return self._send("PATCH", path, json=body)

    def delete(self, path: str, **query: Any) -> Any:
        return self._send("DELETE", path, params=_given(query))

    def every(self, path: str, **query: Any) -> Iterator[Json]:
        """Yield the rows of a list, part after part."""
        cursor: str | None = ""
        while cursor is not None:
            part = self.get(path, **query, limit=PAGE, cursor=cursor)
            yield from part["items"]
            cursor = part["next_cursor"]

    @contextmanager
    def streamed(self, path: str, *, headers: Mapping[str, str], quiet_seconds: float) -> Iterator[Iterator[str]]:
        """Give the lines of an answer as they come; httpx.TransportError when nothing came for `quiet_seconds`."""
        timeout = httpx.Timeout(quiet_seconds, connect=10.0)
        with self._client.stream("GET", path, headers=dict(headers), timeout=timeout) as answer:
            if answer.status_code != 200:
                answer.read()
                raise failure_of(answer)
            yield answer.iter_lines()

    def _send(self, method: str, path: str, **content: Any) -> Any:
        """Send until there is an answer that counts, or patience is over."""
        deadline = time.monotonic() + self.patience
        for attempt in itertools.count():
            try:
                return self._once(method, path, content)
            except _Later as later:
                pause = later.pause(attempt)
                if pause is None or time.monotonic() + pause > deadline:
                    raise later.failure from later.__cause__
            time.sleep(pause)
        raise AssertionError("counting never ends")

    def _once(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        try:
            answer = self._client.request(method, path, **{name: value for name, value in content.items() if value is not None})
        except httpx.TransportError as error:
            away = Away(f"{self.access.address} cannot be reached: {str(error) or type(error).__name__}.")
            raise _Later(away) from error
        if _is_passing(answer):
            raise _Later(failure_of(answer), _retry_after(answer))
        return _read(answer)


class _Later(Exception):
    """No answer yet that counts; `seconds` is for how long the portal asked to wait."""

    def __init__(self, failure: Failure, seconds: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure, self.seconds = failure, seconds

    def pause(self, attempt: int) -> float | None:
        """Return how long to wait before trying again; None: do not."""
        if self.seconds is not None:
            return self.seconds
        return BACKOFF_SECONDS[attempt] if attempt < len(BACKOFF_SECONDS) else None


def failure_of(answer: httpx.Response) -> Failure:
    """Return a refusal as an exit code and a sentence, from problem+json where it is that."""
    problem = _problem(answer)
    sentence = problem.get("detail") or f"The portal answered {answer.status_code} {answer.reason_phrase}."
    sentence = " ".join([str(sentence), *_fields(problem)])
    status = answer.status_code
    if status == 401:
        return NotSignedIn(f"{sentence} Sign in with `aigc login`.")
    if status == 404:
        return NotFound(sentence)
    if status == 429:
        seconds = _retry_after(answer)
        return Away(sentence if seconds is None else f"{sentence} Try again in {seconds:.0f} s.")
    return Away(sentence) if status >= 500 else Failure(sentence)


def _is_passing(answer: httpx.Response) -> bool:
    """Tell whether the same request may well be answered otherwise in a moment."""
    if answer.status_code in {429, 502, 503, 504}:
        return True
    return answer.status_code == 409 and _problem(answer).get("code") == "request-in-progress"


def _read(answer: httpx.Response) -> Any:
    if answer.is_redirect:
        raise Failure(f"The portal is elsewhere: {answer.headers.get('Location', '')}. Sign in there with `aigc login`.")
    if not answer.is_success:
        raise failure_of(answer)
    if answer.status_code == 204:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise Failure(f"What answers at {answer.url.host} is no AIGC portal, or another version of it.") from error


def _problem(answer: httpx.Response) -> Json:
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return {}
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fields(problem: Json) -> list[str]:
    """Return what is wrong with each field, as a sentence."""
    errors = problem.get("errors")
    wrong = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return [f"{each.get('field', '')}: {each.get('detail', '')}" for each in wrong]


def _retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds that the header names; a date, which the portal never sends, counts for nothing."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _given(query: Json) -> Json:
    return {name: value for name, value in query.items() if value not in (None, "", [])}


def _reachable(address: str) -> tuple[str, dict[str, str]]:
    """Return where to connect. Names below localhost are this machine (RFC 6761), though not every resolver knows them."""
    parts = urlsplit(address)
    if parts.scheme != "http" or not (parts.hostname or "").endswith(".localhost"):
        return address, {}
    port = f":{parts.port}" if parts.port else ""
    return f"http://127.0.0.1{port}", {"Host": parts.netloc}


def _language() -> str:
    """Return the language of this terminal, in which the portal words its refusals."""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    name = next((each for each in names if each), "") or locale.getlocale()[0] or ""
    language = name.partition(".")[0].replace("_", "-")
    plain = language.replace("-", "").isalnum() and language.isascii() and language not in {"C", "POSIX"}
    return f"{language}, en;q=0.5" if plain else "en"
