"""Rows for tests, with the least that each needs."""

import hashlib
import itertools
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission
from django.utils import timezone
from django.utils.crypto import get_random_string

from billing.exports.jobs import path_of
from billing.models import ExportJob
from engines.models import Capacity, Cluster, Engine, EngineVersion, GpuClass, Instance, Share, Volume
from tenants.invitations.models import Invitation
from tenants.models import Membership, Role, Tenant, User
from tenants.quotas.models import Quota

_numbers = itertools.count(1)
ENGINE_DOUBLE = Path(__file__).parent / "contract" / "engine_double.py"


def make_user(username: str, **fields: Any) -> User:
    user = User(username=username, email=f"{username}@example.org", **fields)
    user.set_unusable_password()
    user.save()
    return user


def make_operator(username: str, *permissions: str) -> User:
    """An operator who may enter the console and do what is named, e.g. "engines.view_instance"."""
    user = make_user(username, is_staff=True)
    for permission in ("tenants.use_console", *permissions):
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def make_tenant(slug: str, **fields: Any) -> Tenant:
    return Tenant.objects.create(slug=slug, name=fields.pop("name", slug.title()), **fields)


def join(user: User, tenant: Tenant, role: str = Role.MEMBER) -> Membership:
    return Membership.objects.create(user=user, tenant=tenant, role=role)


def invite(tenant: Tenant, address: str, role: str = Role.MEMBER, **fields: Any) -> Invitation:
    """A pending invitation by an operator, whose link nobody has."""
    operator = User.objects.filter(username="inviter").first() or make_user("inviter", is_staff=True)
    defaults = {"expires_at": timezone.now() + timedelta(days=7), "token_digest": get_random_string(64), "issues": 1}
    defaults |= {"tenant": tenant, "address": address, "role": role, "invited_by": operator}
    return Invitation.objects.create(**defaults | fields)


def cap(tenant: Tenant, *, gpu_class: GpuClass | None = None, **limits: int | None) -> None:
    """Set ceilings as operators would, e.g. running=1; GPUs in thousandths."""
    for measure, limit in limits.items():
        row = {"author": "operator", "gpu_class": gpu_class, "measure": measure}
        Quota.objects.update_or_create(tenant=tenant, **row, defaults={"limit": limit})


def make_gpu_class(slug: str = "cpu-small", **fields: Any) -> GpuClass:
    return GpuClass.objects.get_or_create(slug=slug, defaults={"name": slug, "vendor": "cpu", **fields})[0]


def make_cluster(root: Path | str, *, slots: int = 4, gpu_class: GpuClass | None = None, **fields: Any) -> Cluster:
    """A local cluster whose processes and data live below `root`."""
    gpu_class = gpu_class or make_gpu_class()
    fields.setdefault("slug", f"local-{next(_numbers)}")
    config = {"root": str(root), "slots": {gpu_class.slug: slots}} | fields.pop("config", {})
    cluster = Cluster.objects.create(name=fields["slug"], kind="local", config=config, **fields)
    Capacity.objects.create(cluster=cluster, gpu_class=gpu_class, slots=slots)
    return cluster


def make_engine_version(*flags: str, **fields: Any) -> EngineVersion:
    """A published version of the engine double, started with `flags` (see tests/contract/engine_double.py)."""
    engine = fields.pop("engine", None) or Engine.objects.get_or_create(slug="double", defaults={"name": "Double"})[0]
    defaults = {
        "version": str(next(_numbers)),
        "status": EngineVersion.Status.PUBLISHED,
        "command": [sys.executable, "-S", str(ENGINE_DOUBLE), "--port", "{port}", "--data", "{data}", *flags],
        "health_path": "/healthz",
        "startup_limit_seconds": 30,
    }
    return EngineVersion.objects.create(engine=engine, **defaults | fields)


def make_volume(tenant: Tenant, owner: User, cluster: Cluster, **fields: Any) -> Volume:
    fields.setdefault("name", f"volume {next(_numbers)}")
    return Volume.objects.create(tenant=tenant, owner=owner, cluster=cluster, **fields)


def make_instance(tenant: Tenant, owner: User, cluster: Cluster, **fields: Any) -> Instance:
    """A row in any state; nothing of it runs anywhere."""
    fields.setdefault("name", f"instance {next(_numbers)}")
    return Instance.objects.create(
        tenant=tenant,
        owner=owner,
        cluster=cluster,
        engine_version=fields.pop("engine_version", None) or make_engine_version(),
        gpu_class=fields.pop("gpu_class", None) or make_gpu_class(),
        volume=fields.pop("volume", None) or make_volume(tenant, owner, cluster),
        **fields,
    )


def make_export(tenant: Tenant, by: User) -> ExportJob:
    """A file of costs that is ready, with something in it."""
    content = b"currency,amount\r\nUSD,1.5\r\n"
    job = ExportJob(tenant=tenant, asked_by=by, format="csv", state=ExportJob.State.DONE, as_of=timezone.now())
    job.first_day = job.last_day = job.as_of.date()
    job.file_name, job.size_bytes, job.sha256 = f"{job.slug}.csv", len(content), hashlib.sha256(content).hexdigest()
    job.row_count, job.sums = 1, [{"currency": "USD", "net": "1.500000000", "list": "1.500000000"}]
    job.finished_at, job.expires_at = job.as_of, job.as_of + timedelta(days=1)
    job.save()
    path_of(job).write_bytes(content)
    return job


def share(instance: Instance, member: User | None = None, **fields: Any) -> Share:
    """Let a member into the instance, or everybody of its tenant."""
    defaults = {"tenant": instance.tenant, "shared_by": instance.owner, "created_at": timezone.now()}
    return Share.objects.create(instance=instance, member=member, **defaults | fields)
