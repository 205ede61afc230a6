"""What the portal asks when it is stopped itself, on a machine whose engines it takes along."""

from django.db import transaction

from engines.models import Cluster, Instance
from engines.reasons import Reason
from engines.states import DesiredState, InstanceState
from engines.wishes import wish

UP = frozenset({InstanceState.PROVISIONING, InstanceState.STARTING, InstanceState.RUNNING})


@transaction.atomic
def pause_for_shutdown(cluster: Cluster) -> None:
    """Ask to pause what is up or comes up on the cluster; what waits in line has nothing to lose and waits on."""
    up = Instance.objects.filter(cluster=cluster, desired_state=DesiredState.RUNNING, state__in=UP)
    for instance in up.select_for_update(no_key=True).order_by("pk"):
        wish(instance, Reason.PORTAL_STOPPED, by=None, desired_state=DesiredState.STOPPED)
