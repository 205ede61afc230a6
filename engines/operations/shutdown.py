"""What the portal asks when it is stopped itself, on a machine whose engines it takes along."""

from django.db import transaction

from engines.models import Cluster, Instance
from engines.reasons import Reason
from engines.states import InstanceState
from engines.wishes import stop_unasked

UP = frozenset({InstanceState.PROVISIONING, InstanceState.STARTING, InstanceState.RUNNING})


@transaction.atomic
def pause_for_shutdown(cluster: Cluster) -> None:
    """Ask to pause what is up or comes up on the cluster; what waits in line has nothing to lose and waits on."""
    stop_unasked(Instance.objects.filter(cluster=cluster, state__in=UP), Reason.PORTAL_STOPPED)
