"""`python -m bench.acting`: does beside the product, in a process with its settings, what a bench asks in lines of JSON.

Each line is `{"do": name, …arguments}` and is answered by one line.
"""

import json
import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402 - after setup
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402 - after setup
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402 - after setup
from django.db import transaction  # noqa: E402 - after setup

from engines.models import Instance  # noqa: E402 - after setup
from engines.operations.instances import rename_instance  # noqa: E402 - after setup
from tenants.models import Membership, Tenant, User  # noqa: E402 - after setup


def seats(tenant: str, count: int) -> list[str]:
    """Let `count` new members into a tenant, each signed in once; returns the keys of their sessions."""
    users = User.objects.bulk_create(
        [User(username=f"bench-{n:03}", email=f"bench-{n:03}@example.org", password=f"!{n:03}") for n in range(count)]
    )
    tenant_row = Tenant.objects.get(slug=tenant)
    Membership.objects.bulk_create([Membership(user=user, tenant=tenant_row) for user in users])
    return [session_of(user) for user in users]


def session_of(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def rename(slug: str, name: str) -> float:
    """Rename an instance as its owner; returns the moment of the commit by time.monotonic(), one clock for all processes."""
    instance = Instance.objects.get(slug=slug)
    by = Membership.objects.get(user=instance.owner, tenant=instance.tenant)
    committed: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.monotonic()))  # the first of all that happens then
        rename_instance(instance=instance, by=by, name=name)
    return committed[0]


def upstream(slug: str) -> str:
    """Where the gateway finds an engine, as host:port."""
    return str(Instance.objects.get(slug=slug).upstream)


def gwauth() -> dict[str, str]:
    """Where gwauth listens (see aigc_portal.binds), and the secret by which the gateway proves itself."""
    return {"address": settings.GWAUTH_BIND, "secret": settings.GATEWAY_SECRET}


ACTS = {act.__name__: act for act in (seats, rename, upstream, gwauth)}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(ACTS[asked.pop("do")](**asked)), flush=True)


if __name__ == "__main__":
    main()
