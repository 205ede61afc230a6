"""If-Match: a change is made only to what its caller has read."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.http import HttpRequest
from django.utils.http import parse_etags

from aigc_portal.api.problems import Problem
from engines.api.shapes import version_of
from engines.models import Instance
from engines.operations.locks import lock_instance, lock_tenant
from engines.queries.instances import InstanceRow
from engines.sharing import lock_shared_slots
from tenants.models import Membership


@contextmanager
def unchanged(request: HttpRequest, by: Membership, row: InstanceRow) -> Iterator[None]:
    """Let what is done inside happen only if people have asked nothing else of the instance since; Problem otherwise.

    Without If-Match nothing is compared. Locks are taken in the order in which operations take them.
    """
    header = request.headers.get("If-Match", "")
    if not header:
        yield
        return
    with transaction.atomic():
        lock_tenant(by.tenant_id)
        lock_shared_slots(row.instance.cluster_id, row.instance.gpu_class)
        _require_match(header, lock_instance(row.instance, by, to_wake=True))
        yield


def _require_match(header: str, instance: Instance) -> None:
    tags = parse_etags(header)
    if tags != ["*"] and version_of(instance) not in {tag.strip('"').partition(".")[0] for tag in tags}:
        raise Problem("precondition-failed")
