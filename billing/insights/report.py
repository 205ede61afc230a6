"""The insights of a window, for pages and programs: figures, and for each the formula with its numbers put in.

All amounts are time × the average price of the window, up to now; what is in the books is told by the costs, not here.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from billing.insights import auto_pause, formulas
from billing.insights.active_hours import per_active_hour, per_picture
from billing.insights.auto_pause import Choice
from billing.insights.gathering import Known, Stored
from billing.insights.pooling import Pool, pool
from billing.insights.realised import Realised, realised
from billing.insights.right_size import LEAST_ACTIVE_SECONDS, Observed, Other, Size, sizes
from billing.insights.time_sharing import Life, Saved, saved
from billing.insights.waste import Cause, Waste, waste
from billing.rating import amount_of
from engines.models import GpuClass, IdleRule
from engines.operations.idle_rules import general_rule

ASSUMED_START = 180
"""Seconds that a start is taken to need where none was seen."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class TimeSharing:
    """What pausing has saved."""

    whole: Saved
    formulas: list[str]


@dataclass(frozen=True, slots=True)
class ClassPool:
    """The smallest pool of one class that would have been enough."""

    gpu_class: GpuClass
    pool: Pool
    formula: str


@dataclass(frozen=True, slots=True)
class Part:
    """Idle time of one cause, and what it cost."""

    cause: Cause
    seconds: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class IdleWaste:
    """What was paid for while nobody used it, and what was taken without being charged."""

    charged_seconds: int
    active_seconds: int
    parts: list[Part]
    starting_seconds: int
    starting_worth: Decimal  # what it would have cost; charged to nobody
    stored: list[Stored]
    formulas: list[str]

    @property
    def seconds(self) -> int:
        """All that was charged and idle."""
        return sum(part.seconds for part in self.parts)

    @property
    def amount(self) -> Decimal:
        """What that cost."""
        return sum((part.amount for part in self.parts), ZERO)

    @property
    def stored_amount(self) -> Decimal:
        """What storage of the long paused cost."""
        return sum((each.amount for each in self.stored), ZERO)


@dataclass(frozen=True, slots=True)
class Active:
    """What an active hour of one class costs, beside the price of an hour."""

    gpu_class: GpuClass
    per_hour: Decimal
    charged_seconds: int
    active_seconds: int
    cost: Decimal
    per_active_hour: Decimal | None
    formula: str  # empty if nothing was active
    pictures: int | None  # None: its engines do not tell
    per_picture: Decimal | None
    picture_formula: str

    @property
    def active_percent(self) -> int:
        """Of the time that was charged."""
        return self.active_seconds * 100 // self.charged_seconds if self.charged_seconds else 0


@dataclass(frozen=True, slots=True)
class Pausing:
    """The past under other idle times."""

    runs: int
    start_seconds: int
    is_start_measured: bool
    choices: list[Choice]
    best: Choice | None
    present_minutes: int | None  # of the rule in force; None: engines are not paused for being idle
    formulas: list[str]


@dataclass(frozen=True, slots=True)
class Sizing:
    """Other classes beside one that was used."""

    gpu_class: GpuClass
    observed: Observed
    sizes: list[Size]

    @property
    def is_enough_known(self) -> bool:
        """Tell whether it was used for long enough to say anything."""
        return self.observed.active_seconds >= LEAST_ACTIVE_SECONDS


@dataclass(frozen=True, slots=True)
class Report:
    """All of it, as of the end of the window."""

    known: Known
    time_sharing: TimeSharing | None
    realised: Realised | None
    pools: list[ClassPool]
    waste: IdleWaste | None
    active: list[Active]
    pausing: Pausing | None
    sizing: list[Sizing]

    @property
    def formulas_of_pools(self) -> list[str]:
        """One line for each class."""
        return [each.formula for each in self.pools]

    @property
    def formulas_of_active(self) -> list[str]:
        """One line for each class that was used."""
        return [each.formula for each in self.active if each.formula]

    @property
    def formulas_of_pictures(self) -> list[str]:
        """One line for each class on which engines told of pictures."""
        return [each.picture_formula for each in self.active if each.picture_formula]

    @property
    def tells_pictures(self) -> bool:
        """Tell whether any engine says what it has made."""
        return any(each.pictures is not None for each in self.active)

    @property
    def formulas_of_sizing(self) -> list[str]:
        """One line for each class beside each other."""
        return [
            formulas.sizing(each.gpu_class.name, size, each.observed, self.known.currency)
            for each in self.sizing
            if each.is_enough_known
            for size in each.sizes
        ]


def report(known: Known) -> Report:
    """Work everything out. Two queries, about the idle rules."""
    wasted = {pk: waste(known.fleet.runs.get(pk, []), zone=known.zone) for pk in known.priced}
    has_runs = any(each.charged for each in wasted.values())
    return Report(
        known=known,
        time_sharing=_time_sharing(known, wasted) if known.priced else None,
        realised=realised(known),
        pools=[] if known.own_only else _pools(known),
        waste=_waste(known, wasted) if has_runs or known.stored else None,
        active=[_active(known, pk, each) for pk, each in wasted.items() if each.charged],
        pausing=_pausing(known) if any(pk in known.paid for pk in known.past) else None,
        sizing=[_sizing(known, pk, each) for pk, each in wasted.items() if each.charged],
    )


def _time_sharing(known: Known, wasted: dict[int, Waste]) -> TimeSharing:
    lives = {
        pk: Life(each.charged + known.fleet.off_seconds.get(pk, 0), each.charged, known.paid[pk]) for pk, each in wasted.items()
    }
    lines = [formulas.time_sharing(known.classes[pk].name, life, known.currency) for pk, life in lives.items()]
    return TimeSharing(saved(lives.values()), lines)


def _pools(known: Known) -> list[ClassPool]:
    found = []
    for pk in known.priced:
        runs = [run.span for run in known.fleet.runs.get(pk, [])]
        smallest = pool(known.fleet.instances.get(pk, 0), runs, known.window, known.paid[pk])
        if smallest is not None:
            line = formulas.pooling(known.classes[pk].name, smallest, known.paid[pk], known.currency)
            found.append(ClassPool(known.classes[pk], smallest, line))
    return found


def _waste(known: Known, wasted: dict[int, Waste]) -> IdleWaste:
    parts = [
        Part(
            cause,
            sum(each.idle[cause] for each in wasted.values()),
            sum((amount_of(known.paid[pk], each.idle[cause]) for pk, each in wasted.items()), ZERO),
        )
        for cause in Cause
    ]
    starting = {pk: seconds for pk, seconds in known.fleet.starting_seconds.items() if pk in known.paid}
    return IdleWaste(
        charged_seconds=sum(each.charged for each in wasted.values()),
        active_seconds=sum(each.active for each in wasted.values()),
        parts=parts,
        starting_seconds=sum(starting.values()),
        starting_worth=sum((amount_of(known.paid[pk], seconds) for pk, seconds in starting.items()), ZERO),
        stored=known.stored,
        formulas=[
            formulas.idle(known.classes[pk].name, each, known.paid[pk], known.currency)
            for pk, each in wasted.items()
            if each.charged
        ],
    )


def _active(known: Known, pk: int, found: Waste) -> Active:
    cost = amount_of(known.paid[pk], found.charged)
    of_active, name = per_active_hour(cost, found.active), known.classes[pk].name
    made = known.fleet.made.get(pk)
    # Only the time of engines that tell is shared out among their pictures.
    telling, pictures = amount_of(known.paid[pk], made.charged_seconds if made else 0), made.pictures if made else 0
    of_picture = per_picture(telling, pictures)
    return Active(
        gpu_class=known.classes[pk],
        per_hour=known.paid[pk],
        charged_seconds=found.charged,
        active_seconds=found.active,
        cost=cost,
        per_active_hour=of_active,
        formula="" if of_active is None else formulas.active_hour(name, cost, found.active, of_active, known.currency),
        pictures=made.pictures if made else None,
        per_picture=of_picture,
        picture_formula="" if of_picture is None else formulas.picture(name, telling, pictures, of_picture, known.currency),
    )


def _pausing(known: Known) -> Pausing:
    rules = IdleRule.objects.filter(enabled=True, author=IdleRule.Author.TENANT, tenant=known.tenant, engine=None, gpu_class=None)
    policies = [general_rule(known.tenant.pk).policy, *(rule.policy for rule in rules)]
    present = None if all(each.exempt for each in policies) else min(each.idle for each in policies) // timedelta(minutes=1)
    start = known.fleet.start_seconds
    seconds = ASSUMED_START if start is None else start
    minutes = sorted({*auto_pause.choices_for(seconds), *([present] if present else [])})
    curves = [
        auto_pause.curve(
            runs,
            minutes,
            start_seconds=seconds,
            per_hour=known.paid[pk],
            days=known.days,
            warm_up=min(each.warm_up for each in policies),
        )
        for pk, runs in known.past.items()
        if pk in known.paid
    ]
    choices = [sum(rest, first) for first, *rest in zip(*curves, strict=True)]
    chosen = auto_pause.best(choices)
    return Pausing(
        runs=sum(len(runs) for pk, runs in known.past.items() if pk in known.paid),
        start_seconds=seconds,
        is_start_measured=start is not None,
        choices=choices,
        best=chosen,
        present_minutes=present,
        formulas=[formulas.pausing(chosen, seconds, known.currency)] if chosen else [],
    )


def _sizing(known: Known, pk: int, found: Waste) -> Sizing:
    observed = Observed(known.paid[pk], found.active, found.charged)
    others = [
        Other(known.classes[other].name, price, known.classes[other].memory_mib or None)
        for other, price in known.offered.items()
        if other != pk and _is_comparable(known.classes[pk], known.classes[other]) and price < known.paid[pk]
    ]
    return Sizing(known.classes[pk], observed, sizes(observed, others))


def _is_comparable(present: GpuClass, other: GpuClass) -> bool:
    """Engines made for a GPU do not run without one, and not on another vendor's."""
    return not other.hidden and other.vendor == present.vendor
