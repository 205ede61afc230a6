"""Facts in quarantine: which there are, and an operator's word about one. Until then no period of the tenant is closed."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from billing.doubts import BEYOND_DOUBT, MAX_AGE, MAX_CLOCK_SKEW, Doubt
from billing.errors import DecisionRefused
from billing.models import FactDecision, Meter, VolumeMeter
from billing.models.decisions import REASON_LENGTH
from engines.models import RunFact, VolumeFact
from tenants.audit.operations import Subject, record
from tenants.models import Tenant, User

FROM_THE_FUTURE = Q(at__gt=F("observed_at") + MAX_CLOCK_SKEW)
DOUBTFUL = (FROM_THE_FUTURE | Q(at__lt=F("observed_at") - MAX_AGE)) & ~Q(source=BEYOND_DOUBT)
"""Of facts about runs and volumes: `doubts.doubt_of` in the words of the database, decisions left aside."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One fact that waits for somebody's word. `name`: run-17 or volume-5, as it is decided by."""

    fact: RunFact | VolumeFact
    doubt: Doubt

    @property
    def name(self) -> str:
        return f"{'run' if isinstance(self.fact, RunFact) else 'volume'}-{self.fact.pk}"


def waiting(tenant: Tenant | None = None) -> list[Doubtful]:
    """Return the facts in quarantine of one tenant or of all, as far as they were settled; by the time of their coming."""
    runs = RunFact.objects.filter(DOUBTFUL, decision=None, instance__meter__quarantined__gt=0)
    volumes = VolumeFact.objects.filter(DOUBTFUL, decision=None, volume__meter__quarantined__gt=0)
    if tenant is not None:
        runs, volumes = runs.filter(instance__tenant=tenant), volumes.filter(volume__tenant=tenant)
    found: list[RunFact | VolumeFact] = [*runs.select_related("instance__tenant"), *volumes.select_related("volume__tenant")]
    return [Doubtful(each, _doubt(each)) for each in sorted(found, key=lambda fact: fact.observed_at)]


def find(name: str) -> RunFact | VolumeFact | None:
    """Return the fact that `Doubtful.name` names."""
    kind, _dash, number = name.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    if kind == "run":
        return RunFact.objects.filter(pk=number).first()
    return VolumeFact.objects.filter(pk=number).first() if kind == "volume" else None


@transaction.atomic
def decide(*, fact: RunFact | VolumeFact, counts: bool, reason: str, now: datetime, by: User | None = None) -> FactDecision:
    """Say for ever whether a fact counts; the next settling goes by it. Raises DecisionRefused."""
    about = {"run_fact": fact} if isinstance(fact, RunFact) else {"volume_fact": fact}
    if not type(fact).objects.filter(DOUBTFUL, pk=fact.pk).exists():
        raise DecisionRefused(_("This fact is not in doubt."))
    reason = reason.strip()
    if not reason:
        raise DecisionRefused(_("Say why: whoever audits the books will ask."))
    if len(reason) > REASON_LENGTH:
        raise DecisionRefused(_("A reason has at most %(limit)d characters.") % {"limit": REASON_LENGTH})
    made, is_new = FactDecision.objects.get_or_create(
        **about, defaults={"counts": counts, "reason": reason, "decided_at": now, "decided_by": by}
    )
    if not is_new:
        raise DecisionRefused(_("Somebody has decided about this fact already."))
    _have_settled(fact, now)
    subject = fact.instance if isinstance(fact, RunFact) else fact.volume
    record(
        "fact.decided",
        actor=by,
        tenant=subject.tenant,
        subject=Subject("instance" if isinstance(fact, RunFact) else "volume", subject.slug, subject.name),
        details={"fact": Doubtful(fact, _doubt(fact)).name, "counts": counts, "reason": reason},
    )
    return made


def _have_settled(fact: RunFact | VolumeFact, now: datetime) -> None:
    since = Coalesce("dirty_from", Value(now))
    if isinstance(fact, RunFact):
        Meter.objects.filter(pk=fact.instance_id).update(dirty_from=since)
    else:
        VolumeMeter.objects.filter(pk=fact.volume_id).update(dirty_from=since)


def _doubt(fact: RunFact | VolumeFact) -> Doubt:
    return Doubt.FROM_THE_FUTURE if fact.at > fact.observed_at else Doubt.TOO_OLD
