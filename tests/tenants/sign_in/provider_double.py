"""A provider of OpenID Connect that misbehaves on demand: whatever it publishes, signs and answers is an attribute."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Key:
    """A key pair that the provider signs with, and whether it publishes it."""

    kid: str
    private: RSAPrivateKey = field(default_factory=lambda: generate_private_key(public_exponent=65537, key_size=2048))
    published: bool = True

    @property
    def jwk(self) -> dict[str, Any]:
        return json.loads(RSAAlgorithm.to_jwk(self.private.public_key())) | {"kid": self.kid, "alg": "RS256", "use": "sig"}


@dataclass
class ProviderDouble:
    """One provider on loopback. `claims`: of the person who signs in; `wrong`: claims that replace those of the next tokens."""

    port: int
    client_id: str = "portal"
    keys: list[Key] = field(default_factory=lambda: [Key("one")])
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "email": "carol@acme.example", "email_verified": True})
    wrong: dict[str, Any] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    userinfo: dict[str, Any] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    signing_key: Any = None
    headers: dict[str, Any] = field(default_factory=dict)
    refresh_token: str = ""
    gives_id_token: bool = True
    refusal: tuple[int, dict[str, Any]] | None = None
    nonce: str = ""
    verifiers: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        key = None if self.algorithm == "none" else self.signing_key or self.keys[0].private
        all_headers = {"kid": self.keys[0].kid} | self.headers | headers
        named = {name: value for name, value in all_headers.items() if value is not None}
        return jwt.encode(claims, key, algorithm=self.algorithm, headers=named)

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": self.nonce}
        return self.sign({name: value for name, value in (claims | self.claims | self.wrong).items() if name not in self.without})

    def logout_token(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 120, "jti": f"j{time.monotonic_ns()}"}
        claims |= {"events": {LOGOUT_EVENT: {}}, "sub": self.claims["sub"]}
        return self.sign({name: value for name, value in (claims | changes).items() if value is not None}, typ="logout+jwt")

    def answer(self, path: str, sent: dict[str, str]) -> tuple[int, Any]:
        """Answer one request with a status and what becomes JSON."""
        self.asked.append((path, sent))
        if path == "/.well-known/openid-configuration":
            return 200, self._document()
        if path == "/jwks":
            return 200, {"keys": [key.jwk for key in self.keys if key.published]}
        if path == "/userinfo":
            return 200, self.userinfo if self.userinfo is not None else self.claims
        if path == "/token":
            return self._token(sent)
        return 404, {}

    def _token(self, sent: dict[str, str]) -> tuple[int, Any]:
        if self.refusal is not None:
            return self.refusal
        self.verifiers += [sent["code_verifier"]] if "code_verifier" in sent else []
        answer = {"access_token": "a", "token_type": "Bearer", "expires_in": 300}
        answer |= {"id_token": self.id_token()} if self.gives_id_token else {}
        return 200, answer | ({"refresh_token": self.refresh_token} if self.refresh_token else {})

    def _document(self) -> dict[str, Any]:
        names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "out"}
        document = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in names.items()}
        return document | {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"} | self.document

    def asked_for(self, path: str) -> int:
        return sum(each == path for each, _sent in self.asked)


@contextmanager
def running_double() -> Iterator[ProviderDouble]:
    """Run a provider in a thread for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, sent: dict[str, str]) -> None:
            status, said = double.answer(urlsplit(self.path).path, sent)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        double = ProviderDouble(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()
