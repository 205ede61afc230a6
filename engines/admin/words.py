"""States in the operators' language: the word that the database keeps, where English has no other."""

from collections.abc import Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from engines.clusters.base import Caution
from engines.models import InstanceEvent

STATE_WORDS: dict[str, Promise] = {
    "queued": _("queued"),
    "provisioning": _("provisioning"),
    "starting": _("starting"),
    "running": _("running"),
    "stopping": _("stopping"),
    "stopped": _("stopped"),
    "failed": _("failed"),
    "deleting": _("deleting"),
    "deleted": _("deleted"),
}

SUBJECT_WORDS: dict[str, Promise] = {
    "version": _("version"),
    "tenant namespaces": _("tenants' namespaces"),
    "permissions": _("permissions"),
    "storage": _("storage"),
    "GPUs": _("GPUs"),
    "Pod Security": _("Pod Security"),
    "network policies": _("network policies"),
    "root images": _("root images"),
    "pools": _("pools"),
    "slots": _("slots"),
    "disk": _("disk"),
}
"""What a connection test looks at."""

CAUTION_WORDS: dict[Caution, Promise] = {
    Caution.NOT_ISOLATED: _("Memory and faults are shared: one tenant at a time."),
    Caution.CONSUMER_LICENCE: _("The licence of this card's driver restricts its use in data centres."),
    Caution.CUT_IN_SOFTWARE: _("The limits hold only as long as the software in the container does."),
    Caution.EXPERIMENTAL: _("Experimental: try it before people depend on it."),
    Caution.NO_PRODUCT: _("The nodes do not say which card it is."),
    Caution.ANOTHER_IMAGE: _("Engines need images built for this maker."),
    Caution.BY_POLICY: _("The nodes do not say how many there are: set slots in the cluster's configuration."),
}


def transition_words(event: InstanceEvent) -> str:
    """Say from which state to which; empty for what is no transition."""
    return f"{STATE_WORDS.get(event.old_state, '')} → {STATE_WORDS[event.new_state]}" if event.new_state else ""


class StateFilter(ChoicesDropdownFilter):
    """A filter by state: a column's choices keep the database's words, and a filter shows people theirs."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield what unfold would, with each state's word in its place."""
        for each in super().choices(changelist):
            field = each["form"].fields[self.lookup_kwarg]
            field.choices = [(value, STATE_WORDS.get(value, word)) for value, word in field.choices]
            yield each
