"""Facts in doubt, and what was decided about them: page by page, for the operators' console. Writes nothing."""

from collections.abc import Iterable
from typing import Any

from django.db.models import F, IntegerField, QuerySet, TextChoices, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models import FactDecision
from billing.quarantine import DOUBTFUL, Doubtful, Key, key_of, waiting_facts
from engines.models import RunFact, VolumeFact
from tenants.models import Tenant

_NUMBER = Value(None, IntegerField())


class Standing(TextChoices):
    """What became of a fact in doubt."""

    WAITING = "waiting", pgettext_lazy("of a fact in doubt", "waiting")
    TAKEN = "taken", pgettext_lazy("of a fact in doubt", "taken")
    LEFT_OUT = "left_out", _("left out")


def keys(standing: Standing, tenant: Tenant | None = None) -> QuerySet[Any, Any]:
    """Return which facts stand so, of one tenant or of all: those that wait longest first, or those decided last."""
    if standing != Standing.WAITING:
        return _decided(standing, tenant)
    runs, volumes = waiting_facts(tenant)
    of_runs = runs.order_by().annotate(run=F("pk"), other=_NUMBER).values_list("run", "other", "observed_at")
    of_volumes = volumes.order_by().annotate(run=_NUMBER, other=F("pk")).values_list("run", "other", "observed_at")
    return of_runs.union(of_volumes, all=True).order_by("observed_at", "run", "other")


def _decided(standing: Standing, tenant: Tenant | None) -> QuerySet[Any, Any]:
    found = FactDecision.objects.filter(counts=standing == Standing.TAKEN)
    if tenant is not None:
        found = found.filter(run_fact__instance__tenant=tenant) | found.filter(volume_fact__volume__tenant=tenant)
    return found.order_by("-decided_at", "-pk").values_list("run_fact_id", "volume_fact_id")


def load(found: Iterable[tuple[Any, ...]]) -> list[Doubtful]:
    """Read the facts that these keys name, in their order, with all that is shown of them. Two queries."""
    wanted = [(key[0], key[1]) for key in found]
    runs = RunFact.objects.filter(DOUBTFUL).select_related("instance__tenant", "decision__decided_by")
    volumes = VolumeFact.objects.filter(DOUBTFUL).select_related("volume__tenant", "decision__decided_by")
    of_runs = runs.in_bulk([run for run, _other in wanted if run is not None])
    of_volumes = volumes.in_bulk([other for _run, other in wanted if other is not None])
    known: dict[Key, RunFact | VolumeFact] = {(pk, None): fact for pk, fact in of_runs.items()}
    known |= {(None, pk): fact for pk, fact in of_volumes.items()}
    return [Doubtful(known[key]) for key in wanted if key in known]


def named(names: Iterable[str]) -> list[Doubtful]:
    """Return the facts in doubt of these names, as `Doubtful.name` has them, each once; what names none is left out."""
    return load(dict.fromkeys(key for name in names if (key := key_of(name)) is not None))
