"""Facts in quarantine: which there are, and an operator's word about one. Until then no period of the tenant is closed."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from billing.doubts import BEYOND_DOUBT, MAX_AGE, MAX_CLOCK_SKEW, Doubt
from billing.errors import DecisionRefused
from billing.models import FactDecision, Meter, VolumeMeter
from billing.models.decisions import REASON_LENGTH
from engines.models import Instance, RunFact, Volume, VolumeFact
from tenants.audit.operations import Subject, record
from tenants.models import Tenant, User

FROM_THE_FUTURE = Q(at__gt=F("observed_at") + MAX_CLOCK_SKEW)
DOUBTFUL = (FROM_THE_FUTURE | Q(at__lt=F("observed_at") - MAX_AGE)) & ~Q(source=BEYOND_DOUBT)
"""Of facts about runs and volumes: `doubts.doubt_of` in the words of the database, decisions left aside."""

Key = tuple[int | None, int | None]
"""The number of a fact about a run, or else of one about a volume."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One fact that waits for somebody's word, or had to. `name`: run-17 or volume-5, as it is decided by."""

    fact: RunFact | VolumeFact

    @property
    def name(self) -> str:
        return f"{'run' if self.is_run else 'volume'}-{self.fact.pk}"

    @property
    def is_run(self) -> bool:
        """Tell whether it is about a run of an instance, not about a volume."""
        return isinstance(self.fact, RunFact)

    @property
    def subject(self) -> Instance | Volume:
        """What it is about."""
        return self.fact.instance if isinstance(self.fact, RunFact) else self.fact.volume

    @property
    def doubt(self) -> Doubt:
        """Why it was not believed by itself."""
        return Doubt.FROM_THE_FUTURE if self.fact.at > self.fact.observed_at else Doubt.TOO_OLD

    @property
    def decision(self) -> FactDecision | None:
        """Somebody's word about it."""
        return getattr(self.fact, "decision", None)


def waiting(tenant: Tenant | None = None) -> list[Doubtful]:
    """Return the facts in quarantine of one tenant or of all, as far as they were settled; by the time of their coming."""
    runs, volumes = waiting_facts(tenant)
    found: list[RunFact | VolumeFact] = [*runs.select_related("instance__tenant"), *volumes.select_related("volume__tenant")]
    return [Doubtful(each) for each in sorted(found, key=lambda fact: fact.observed_at)]


def waiting_facts(tenant: Tenant | None = None) -> tuple[QuerySet[RunFact], QuerySet[VolumeFact]]:
    """Return the facts about runs and those about volumes that are in quarantine, of one tenant or of all."""
    runs = RunFact.objects.filter(DOUBTFUL, decision=None, instance__meter__quarantined__gt=0)
    volumes = VolumeFact.objects.filter(DOUBTFUL, decision=None, volume__meter__quarantined__gt=0)
    if tenant is not None:
        runs, volumes = runs.filter(instance__tenant=tenant), volumes.filter(volume__tenant=tenant)
    return runs, volumes


def find(name: str) -> RunFact | VolumeFact | None:
    """Return the fact that `Doubtful.name` names."""
    run, volume = key_of(name) or (None, None)
    if run is not None:
        return RunFact.objects.filter(pk=run).first()
    return VolumeFact.objects.filter(pk=volume).first() if volume is not None else None


def key_of(name: str) -> Key | None:
    """Read `Doubtful.name`; None: it is no such name."""
    kind, _dash, number = name.partition("-")
    if kind not in ("run", "volume") or not (number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    return (int(number), None) if kind == "run" else (None, int(number))


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
        raise DecisionRefused(_decided_before(made))
    _have_settled(fact, now)
    doubtful = Doubtful(fact)
    record(
        "fact.decided",
        actor=by,
        tenant=doubtful.subject.tenant,
        subject=Subject("instance" if doubtful.is_run else "volume", doubtful.subject.slug, doubtful.subject.name),
        details={"fact": doubtful.name, "counts": counts, "reason": reason},
    )
    return made


def _decided_before(decision: FactDecision) -> str:
    told = {"who": decision.decided_by or _("Somebody"), "at": f"{decision.decided_at:%Y-%m-%d %H:%M}"}
    if decision.counts:
        return _("%(who)s has decided already, at %(at)s UTC, that this fact counts.") % told
    return _("%(who)s has decided already, at %(at)s UTC, that this fact does not count.") % told


def _have_settled(fact: RunFact | VolumeFact, now: datetime) -> None:
    since = Coalesce("dirty_from", Value(now))
    if isinstance(fact, RunFact):
        Meter.objects.filter(pk=fact.instance_id).update(dirty_from=since)
    else:
        VolumeMeter.objects.filter(pk=fact.volume_id).update(dirty_from=since)
