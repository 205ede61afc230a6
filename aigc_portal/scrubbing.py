"""What logs do not keep: passwords, tokens, cookies, codes in addresses, credentials in URLs, most of a mail address.

A last net below code that does not log secrets in the first place: it knows their usual forms, not their values. It works on the
finished line, so that arguments and tracebacks are covered too.
"""

import logging
import re
from typing import Any

from django.http import HttpRequest, QueryDict
from django.views.debug import SafeExceptionReporterFilter

GONE = "…"
_NAMES = r"(?:[a-z0-9_-]*(?:passw(?:or)?d|passphrase|secret|token|credential|api_?key|private_?key|kubeconfig|otp)[a-z0-9_-]*)"
# What stands between a name and its value in headers, queries, dicts, JSON and the pairs of bytes that ASGI servers print.
_BETWEEN = r"""['"]?\s*[=:,]\s*(?:b(?=['"]))?['"]?"""
_RULES = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", "-----BEGIN PRIVATE KEY-----" + GONE),
        (rf"\b((?:proxy-)?authorization|(?:set-)?cookie|x-csrftoken|x-aigc-[a-z]+)({_BETWEEN})[^\r\n'\"]+", rf"\1\2{GONE}"),
        (r"\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", rf"\1 {GONE}"),
        (r"(__(?:Host|Secure)-[a-z_]+=)[^;\s'\"]+", rf"\1{GONE}"),
        (rf"\b({_NAMES})({_BETWEEN})(?![\s'\"{{\[(]|none\b)[^&\s'\",;)}}\]]+", rf"\1\2{GONE}"),
        # These words are harmless elsewhere; in an address they are what somebody is let in with.
        (r"([?&](?:code|state|nonce|key|n|sig|signature|ticket|id_token_hint|login_hint)=)[^&\s'\"#]+", rf"\1{GONE}"),
        (r"(/(?:reset/key|confirm-email|invitations?|join|callback)/)(?=[^\s/?'\"]*[0-9])[^\s/?'\"]{8,}", rf"\1{GONE}"),
        (r"\b([a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s/@'\"]+@", rf"\1:{GONE}@"),
        (r"\b(aigc_[a-z0-9]{8})[a-z0-9]{16,}", rf"\1{GONE}"),
        (r"\b(whsec_)[a-z0-9+/=]{8,}", rf"\1{GONE}"),
        (r"\b(gAAAA)[a-z0-9_-]{60,}={0,2}", rf"\1{GONE}"),
        (r"\b(eyJ)[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}\.[a-z0-9_-]*", rf"\1{GONE}"),
        (r"\b([a-z0-9])[a-z0-9._%+-]*@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", rf"\1{GONE}@\2"),
    )
]


def scrub(text: str) -> str:
    """Return the text without what looks like a secret."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


class ScrubbingFormatter(logging.Formatter):
    """Formats a record, traceback included, and scrubs the whole."""

    def format(self, record: logging.LogRecord) -> str:
        """Return what is written."""
        return scrub(super().format(record))


class ReportFilter(SafeExceptionReporterFilter):
    """Hides in error reports what Django does not know to be secret: addresses with passwords in them, all cookies."""

    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern + "|URL|EMBEDDED|BROKER|COOKIE|CHANNEL_LAYERS|AUTHORIZATION",
        re.IGNORECASE,
    )

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """Hide by name, and scrub what is shown."""
        shown = super().cleanse_setting(key, value)
        return scrub(shown) if isinstance(shown, str) else shown

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, str]:
        """Tell which cookies there were."""
        return dict.fromkeys(request.COOKIES, self.cleansed_substitute)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Hide fields by name, whether or not a view has thought of it."""
        posted: QueryDict | dict[str, Any] = super().get_post_parameters(request)
        return {name: self.cleanse_setting(name, value) for name, value in posted.items()}
