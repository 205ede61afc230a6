"""What a file of OpenID Connect providers may say. Pure; docs/guides/sign-in.md explains each key."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

RoleName = Literal["owner", "admin", "member", "finance", "viewer"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Claim = Annotated[str, Field(min_length=1, max_length=200)]
"""A claim's name; a dot leads into an object: `realm_access.roles`."""
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def is_loopback(address: str) -> bool:
    """Whether the address is on this machine, where http is as good as https."""
    host = urlsplit(address).hostname or ""
    return host in _LOOPBACK or host.endswith(".localhost")


def secure(address: str) -> str:
    """Refuse what is no https address, http on this machine excepted."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("must be an address such as https://id.example.com")
    if parts.scheme == "http" and not is_loopback(address):
        raise ValueError("must begin with https:// (http is for this machine alone)")
    return address


Address = Annotated[str, AfterValidator(secure)]


def _domain(text: str) -> str:
    if "." not in text or "@" in text or "*" in text or text != text.strip("."):
        raise ValueError("must be a mail domain such as example.com")
    return text.lower()


Domain = Annotated[str, AfterValidator(_domain)]


class Strict(BaseModel):
    """Unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Grant(Strict):
    """One way into a tenant: who is let in, and in which role.

    Either `tenant` names it, or the claim `tenant_claim` holds slugs. Who is let in: people with a verified address in one of
    `email_domains`, or whose `claim` holds one of `values`; without both, everybody whom the provider signs in.
    The highest role of the person's groups counts; `default_role` is for people without such a group, none for nobody.
    """

    tenant: Slug | None = None
    tenant_claim: Claim | None = None
    email_domains: tuple[Domain, ...] = ()
    claim: Claim | None = None
    values: tuple[str, ...] = ()
    groups_claim: Claim = "groups"
    roles: dict[str, RoleName] = {}
    default_role: RoleName | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.tenant is None) == (self.tenant_claim is None):
            raise ValueError("needs either tenant or tenant_claim")
        if (self.claim is None) != (not self.values):
            raise ValueError("claim and values belong together")
        if not self.roles and self.default_role is None:
            raise ValueError("needs roles or default_role, or it gives nobody anything")
        return self


class Provider(Strict):
    """One provider. Its client's secret stands here, in a file or in an environment variable; public clients have none."""

    id: Slug
    name: Annotated[str, Field(min_length=1, max_length=40)]
    issuer: Address
    client_id: Annotated[str, Field(min_length=1, max_length=191)]
    client_secret: Annotated[str, Field(repr=False)] = ""
    client_secret_file: str = ""
    client_secret_env: str = ""
    client_authentication: Literal["client_secret_basic", "client_secret_post"] | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    auth_params: dict[str, str] = {}
    algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    userinfo: bool = True
    verified_domains: tuple[Domain, ...] = ()
    link_by_email: bool = False
    new_accounts: Literal["all", "mapped", "invited"] = "mapped"
    grants: tuple[Grant, ...] = ()
    recheck_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    session_hours: Annotated[int, Field(ge=1, le=720)] = 12
    sign_out_there: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes must contain openid")
        if sum(map(bool, (self.client_secret, self.client_secret_file, self.client_secret_env))) > 1:
            raise ValueError("give only one of client_secret, client_secret_file, client_secret_env")
        reserved = {
            "client_id",
            "redirect_uri",
            "response_type",
            "scope",
            "state",
            "nonce",
            "code_challenge",
            "code_challenge_method",
        }
        if forbidden := sorted(reserved & set(self.auth_params)):
            raise ValueError(f"auth_params must not contain {forbidden[0]}, which the portal sets itself")
        return self

    @property
    def vouches(self) -> bool:
        """Whether its refresh tokens outlive its own sessions, so that one that is refused tells that the person is gone."""
        return "offline_access" in self.scopes or self.auth_params.get("access_type") == "offline"


class Providers(Strict):
    """The whole file."""

    providers: tuple[Provider, ...]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [provider.id for provider in self.providers]
        if repeated := next((each for each in ids if ids.count(each) > 1), None):
            raise ValueError(f"two providers have the id {repeated}")
        return self
