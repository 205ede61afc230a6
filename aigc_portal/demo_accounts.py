"""Who can sign in to the demo: `seed_demo` creates them, `demo` prints them."""

from dataclasses import dataclass

# Known to everybody, which is why the demo listens on loopback alone.
DEMO_PASSWORD = "portal-demo"  # noqa: S105 - meant to be public


@dataclass(frozen=True)
class DemoAccount:
    """A person of the demo, with what they are in words."""

    username: str
    role: str


DEMO_ACCOUNTS = (
    DemoAccount("alice", "an artist of the studio acme"),
    DemoAccount("anna", "the owner of acme: every instance and every cost of the studio"),
    DemoAccount("bob", "an artist of another studio, who must not see acme's engines"),
    DemoAccount("olga", "an operator: catalog, prices and clusters, in /admin/"),
)
