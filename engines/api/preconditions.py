"""If-Match: a change is made only to what its caller has read."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.http import HttpRequest
from django.utils.http import parse_etags

from aigc_portal.api.problems import Problem
from engines.api.shapes import version_of
from engines.models import GpuClass, Instance
from engines.operations.locks import lock_instance, lock_tenant
from engines.queries.instances import InstanceRow
from engines.sharing import lock_shared_slots
from tenants.models import Membership


@contextmanager
def unchanged(request: HttpRequest, by: Membership, row: InstanceRow, *, wanted_class: GpuClass | None = None) -> Iterator[None]:
    """Let what is done inside happen only if people have asked nothing else of the instance since; Problem otherwise.

    Without If-Match nothing is compared. Locks are taken in the order in which operations take them: also the slots of a class
    that is `wanted_class` come before the instance.
    """
    header = request.headers.get("If-Match", "")
    if not header:
        yield
        return
    with transaction.atomic():
        lock_tenant(by.tenant_id)
        # Of two shared classes of a cluster the slots are the same, so that nobody holds those of one and waits for the other's.
        for gpu_class in (row.instance.gpu_class, wanted_class or row.instance.gpu_class):
            lock_shared_slots(row.instance.cluster_id, gpu_class)
        _require_match(header, lock_instance(row.instance, by, to_wake=True))
        yield


def _require_match(header: str, instance: Instance) -> None:
    tags = parse_etags(header)
    if tags != ["*"] and version_of(instance) not in {tag.strip('"').partition(".")[0] for tag in tags}:
        raise Problem("precondition-failed")
