"""What the use of GPUs tells about their costs: the figures of the page, each with its formula and the numbers put in."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import QUESTION
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import CamelInput, CamelOutput
from billing.api.asking import WindowOut, books_of
from billing.api.shapes import plain
from billing.insights.gathering import gather
from billing.insights.realised import Realised
from billing.insights.releases import METHOD
from billing.insights.report import Active, ClassPool, IdleWaste, Pausing, Report, Sizing, TimeSharing, report
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)


class InsightsQuery(CamelInput):
    """Which days."""

    window: str = Field("30d", max_length=80, description="Whole days of the account's time zone, as for the allocation.")


class TimeSharingOut(CamelOutput):
    """What pausing has saved, beside engines that would have been on for as long as they were there."""

    always_on_cost: str
    paid_cost: str
    saved_cost: str
    rate: str | None = Field(description="Saved part of alwaysOnCost; null where nothing would have been paid.")
    formulas: list[str]


class RealisedOut(CamelOutput):
    """What releases for idleness have saved: a cautious estimate, within what pausing has saved, and part of no cost."""

    method: str = Field(
        description=f"How it is counted. {METHOD}: from the end of each run until the engine was started again or deleted, or the"
        " window ended, within the working day of the release alone (Monday to Friday, 8:00 to 20:00, in the time zone)."
    )
    releases: int
    claimed_seconds: int
    saved_cost: str
    formulas: list[str]


class PoolOut(CamelOutput):
    """The smallest pool of a class that would have been enough for everybody."""

    gpu_class: str
    instances: int
    peak: int = Field(description="Instances that ran at one moment, at most.")
    factor: str
    pool_cost: str
    idle_cost: str
    utilisation: str
    formula: str


class CauseOut(CamelOutput):
    """Idle time with one cause."""

    cause: str = Field(description="off_hours, tail, long_gap or short_gap.")
    seconds: int
    cost: str


class StoredOut(CamelOutput):
    """A volume whose engine has not run for over 30 days."""

    volume: str
    used_at: datetime
    cost: str = Field(description="Charged since then, within the window.")


class IdleOut(CamelOutput):
    """What was paid for while nobody used it."""

    charged_seconds: int
    active_seconds: int
    idle_seconds: int
    idle_cost: str
    causes: list[CauseOut]
    starting_seconds: int = Field(description="GPUs were taken and nothing was charged.")
    starting_worth: str
    stored: list[StoredOut]
    formulas: list[str]


class ActiveOut(CamelOutput):
    """What an hour of use costs on one class, and a picture."""

    gpu_class: str
    price_per_hour: str = Field(description="The average of the window.")
    charged_seconds: int
    active_seconds: int
    cost_per_active_hour: str | None
    pictures: int | None = Field(description="Null: these engines do not tell.")
    cost_per_picture: str | None
    formulas: list[str]


class ChoiceOut(CamelOutput):
    """What one idle time would have meant."""

    minutes: int
    saved_cost: str = Field(description="Below 0: it would have cost more.")
    saved_seconds: int
    resumes_a_day: str


class PausingOut(CamelOutput):
    """The runs that ended within the window, played again under other idle times."""

    runs: int
    start_seconds: int
    is_start_measured: bool
    present_minutes: int | None
    best_minutes: int | None = Field(description="Null: no idle time would have saved anything.")
    choices: list[ChoiceOut]
    formulas: list[str]


class SizeOut(CamelOutput):
    """A cheaper class beside one that was used, and how many times as slow it may be. None is recommended: memory is not seen."""

    gpu_class: str
    other: str
    other_price_per_hour: str
    cheaper_up_to: str | None = Field(description="Without idle time.")
    saves_15_percent_up_to: str | None = Field(description="Without idle time.")
    cheaper_while_idling_up_to: str | None = Field(description="With as much idle time as there was.")


class InsightsOut(CamelOutput):
    """All of it, up to now. Amounts are time × average price; what is in the books is told by the allocation."""

    window: WindowOut = Field(description="Up to now, and not before use is known.")
    time_zone: str
    currency: str
    own_only: bool
    time_sharing: TimeSharingOut | None
    realised_savings: RealisedOut | None = Field(description="Null: idleness ended no run within the window.")
    pools: list[PoolOut] = Field(description="Empty for who sees only their own.")
    idle: IdleOut | None
    active_hours: list[ActiveOut]
    auto_pause: PausingOut | None
    sizes: list[SizeOut]


@router.get("/insights", auth=READ, response=InsightsOut, by_alias=True, openapi_extra=QUESTION, summary="Read insights")
def get_insights(request: ApiRequest, tenant: Path[str], wanted: Query[InsightsQuery]) -> InsightsOut:
    """Return savings, idle time by cause, what an hour of use costs, and what another idle time would have meant."""
    membership, now = member(request, tenant), timezone.now()
    with books_of(membership, now) as books:
        known = gather(membership, books.window(wanted.window), books.calendar, now=now)
        if known is None:
            raise invalid("query", "window", _("How engines were used in these days is not known any more, or not yet."))
        return _shown(report(known))


def _shown(found: Report) -> InsightsOut:
    known = found.known
    return InsightsOut(
        window=WindowOut(start=known.window.starts_at, end=known.window.ends_at),
        time_zone=known.zone,
        currency=known.currency,
        own_only=known.own_only,
        time_sharing=_time_sharing(found.time_sharing) if found.time_sharing else None,
        realised_savings=_realised(found.realised) if found.realised else None,
        pools=[_pool(each) for each in found.pools],
        idle=_idle(found.waste) if found.waste else None,
        active_hours=[_active(each) for each in found.active],
        auto_pause=_pausing(found.pausing) if found.pausing else None,
        sizes=[size for each in found.sizing if each.is_enough_known for size in _sizes(each)],
    )


def _time_sharing(found: TimeSharing) -> TimeSharingOut:
    whole = found.whole
    return TimeSharingOut(
        always_on_cost=plain(whole.always_on),
        paid_cost=plain(whole.paid),
        saved_cost=plain(whole.amount),
        rate=_number(whole.rate),
        formulas=found.formulas,
    )


def _realised(found: Realised) -> RealisedOut:
    return RealisedOut(
        method=METHOD,
        releases=found.releases,
        claimed_seconds=found.seconds,
        saved_cost=plain(found.amount),
        formulas=found.formulas,
    )


def _pool(found: ClassPool) -> PoolOut:
    return PoolOut(
        gpu_class=found.gpu_class.slug,
        instances=found.pool.instances,
        peak=found.pool.peak,
        factor=str(found.pool.factor),
        pool_cost=plain(found.pool.cost),
        idle_cost=plain(found.pool.idle),
        utilisation=str(found.pool.utilisation),
        formula=found.formula,
    )


def _idle(found: IdleWaste) -> IdleOut:
    return IdleOut(
        charged_seconds=found.charged_seconds,
        active_seconds=found.active_seconds,
        idle_seconds=found.seconds,
        idle_cost=plain(found.amount),
        causes=[CauseOut(cause=part.cause, seconds=part.seconds, cost=plain(part.amount)) for part in found.parts],
        starting_seconds=found.starting_seconds,
        starting_worth=plain(found.starting_worth),
        stored=[StoredOut(volume=each.volume.slug, used_at=each.used_at, cost=plain(each.amount)) for each in found.stored],
        formulas=found.formulas,
    )


def _active(found: Active) -> ActiveOut:
    return ActiveOut(
        gpu_class=found.gpu_class.slug,
        price_per_hour=plain(found.per_hour),
        charged_seconds=found.charged_seconds,
        active_seconds=found.active_seconds,
        cost_per_active_hour=_amount(found.per_active_hour),
        pictures=found.pictures,
        cost_per_picture=_amount(found.per_picture),
        formulas=[formula for formula in (found.formula, found.picture_formula) if formula],
    )


def _pausing(found: Pausing) -> PausingOut:
    return PausingOut(
        runs=found.runs,
        start_seconds=found.start_seconds,
        is_start_measured=found.is_start_measured,
        present_minutes=found.present_minutes,
        best_minutes=found.best.minutes if found.best else None,
        choices=[
            ChoiceOut(
                minutes=each.minutes,
                saved_cost=plain(each.amount),
                saved_seconds=each.saved_seconds,
                resumes_a_day=str(each.resumes_a_day),
            )
            for each in found.choices
        ],
        formulas=found.formulas,
    )


def _sizes(found: Sizing) -> list[SizeOut]:
    return [
        SizeOut(
            gpu_class=found.gpu_class.slug,
            other=each.other.name,
            other_price_per_hour=plain(each.other.per_hour),
            cheaper_up_to=_number(each.break_even_active),
            saves_15_percent_up_to=_number(each.slowest_that_saves),
            cheaper_while_idling_up_to=_number(each.break_even),
        )
        for each in found.sizes
    ]


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _number(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
