"""Logs: what looks like a secret does not get into them, and what does not look like one does."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from aigc_portal.scrubbing import ScrubbingFormatter, scrub
from aigc_portal.sealing import seal
from gateway.api_tokens.secrets import new_secret
from tenants.notifications import signing

ROOT = Path(__file__).resolve().parents[2]
CANARY = "c4n4ry-Kx81.Zq"
WORD = "c4n4ryKx81Zq90aBcD"


def failure(message: str) -> ValueError:
    """An error that was raised, with a traceback."""
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        raise ValueError(message)
    return caught.value


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"Authorization: Bearer {CANARY}", "Authorization: …"),
        (f"{{'Authorization': 'Basic {WORD}', 'Host': 'x'}}", "{'Authorization': '…', 'Host': 'x'}"),
        (f"[(b'cookie', b'a={CANARY}; b=2'), (b'host', b'x')]", "[(b'cookie', b'…'), (b'host', b'x')]"),
        (f"Set-Cookie: __Host-portal={CANARY}; Path=/", "Set-Cookie: …"),
        (f"sent __Host-aigc_s={CANARY}; a", "sent __Host-aigc_s=…; a"),
        (f"GET /.aigc/callback?code={CANARY}&x=1 HTTP/1.1", "GET /.aigc/callback?code=…&x=1 HTTP/1.1"),
        (f"/gw/authorize?instance=abc&n={CANARY}&rd=/", "/gw/authorize?instance=abc&n=…&rd=/"),
        (f"/accounts/password/reset/key/1-{CANARY}/", "/accounts/password/reset/key/…/"),
        (f"POST password={CANARY}&login=alice", "POST password=…&login=alice"),
        (f"{{'new_password1': '{CANARY}', 'name': 'x'}}", "{'new_password1': '…', 'name': 'x'}"),
        (f'{{"client_secret": "{CANARY}", "name": "x"}}', '{"client_secret": "…", "name": "x"}'),
        (f"refresh_token={CANARY} expired", "refresh_token=… expired"),
        (f"postgresql://aigc:{CANARY}@db:5432/aigc", "postgresql://aigc:…@db:5432/aigc"),
        (f"redis://:{CANARY}@valkey:6379/0 refused", "redis://:…@valkey:6379/0 refused"),
        ("mail to alice.liddell@example.org failed", "mail to a…@example.org failed"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nafter", "-----BEGIN PRIVATE KEY-----…\nafter"),
        ("id eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end", "id eyJ… end"),
    ],
)
def test_what_looks_like_a_secret_goes(line: str, kept: str) -> None:
    assert scrub(line) == kept


def test_our_own_secrets_are_known_by_their_look() -> None:
    token = new_secret()
    sealed, signing_secret = seal("x"), signing.new_secret()
    line = scrub(f"{token.text} and {sealed} and {signing_secret}")
    assert line == f"aigc_{token.key_id}… and gAAAA… and whsec_…"


@pytest.mark.parametrize(
    "line",
    [
        "INFO engines.observe: Dragon: running → stopping (code 0)",
        "instance 044e64bd-dece-4715-b346-ee5a5978df0b, key once, state=running",
        "Not Found: /acme/instances/bcdfghjkmn/",
        "https://portal.example.com:8443/acme/?tab=log&page=2",
        "the cluster has no stored secret “main”",
        "Task engines.tasks.sweep[3c1e] succeeded in 0.03s",
        "File \"/usr/lib/python3.11/site-packages/django/contrib/auth/tokens.py\", line 12, in check_token",
        "a stored secret was sealed with a key that is not among AIGC_ENCRYPTION_KEYS",
        "ttl: none, token: None",
    ],
)  # fmt: skip
def test_what_does_not_stays(line: str) -> None:
    assert scrub(line) == line


def test_arguments_and_tracebacks_are_scrubbed() -> None:
    error = failure(f"login with password={CANARY}")
    raised = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "GET %s", (f"/?token={CANARY}",), raised)
    text = ScrubbingFormatter("%(message)s").format(record)
    assert text.startswith("GET /?token=…\nTraceback")
    assert CANARY not in text
    assert "ValueError: login with password=…" in text


@pytest.mark.parametrize("name", ["", "django", "django.request", "django.server", "uvicorn", "uvicorn.error", "uvicorn.access"])
def test_no_handler_writes_past_the_formatter(name: str) -> None:
    """Neither Django's own nor those that uvicorn has set up before it loads us."""
    program = (
        "import logging.config, uvicorn.config, django\n"
        "logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)\n"
        "django.setup()\n"
        f"logger = logging.getLogger({name!r})\n"
        "while logger:\n"
        "    print(*[type(handler.formatter).__name__ for handler in logger.handlers])\n"
        "    logger = logger.parent if logger.propagate else None\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["ScrubbingFormatter"]


def test_an_error_report_hides_addresses_and_cookies(settings) -> None:
    settings.REDIS_URL = f"redis://:{CANARY}@valkey:6379/0"
    settings.CELERY_BROKER_URL = settings.REDIS_URL
    request = RequestFactory().post("/accounts/login/", {"password": CANARY, "login": "alice"})
    request.COOKIES["__Host-portal"] = CANARY
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {CANARY}"
    error = failure("broken")
    report = ExceptionReporter(request, ValueError, error, error.__traceback__)
    assert CANARY not in report.get_traceback_text()
