"""The minute's look at every running engine: who used it, whether it works, and what follows."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from engines import live
from engines.activity.recorded import ActivityUnavailable, Recorded, read
from engines.idle import calendar
from engines.idle.decision import SOON, Decision, Known, Look, Said, Why, counted, decide, next_due
from engines.idle.policy import Policy
from engines.models import Instance, Schedule, Use, UseSpan
from engines.release import marking, spans, telling
from engines.release.asking import ask, is_mute
from engines.release.knowing import joined_use, known_of, use_of
from engines.release.rules import all_rules, policy_for
from engines.release.spans import Sign
from engines.release.writing import Seen, write_down
from engines.states import DesiredState, InstanceState

log = logging.getLogger(__name__)
ASK_BEFORE = timedelta(minutes=11)
"""Engines are asked from then on before they may be released: a warning should not be told to somebody whose engine works."""
ASK_AFTER_QUIET = timedelta(minutes=2)
"""Engines that nobody uses are asked, so that the history knows when they worked."""
THREADS = 32
BUDGET_SECONDS = 40


@dataclass(frozen=True)
class Case:
    """One running instance and what is known of it."""

    instance: Instance
    use: Use
    known: Known
    policy: Policy
    due: Decision


@dataclass(frozen=True)
class Conclusion:
    """What a look at one instance comes to."""

    case: Case
    known: Known
    decision: Decision
    looked_at: datetime | None

    @property
    def seen(self) -> Seen:
        """What is written down of it."""
        known, decision = self.known, self.decision
        return Seen(
            id=self.case.use.pk,
            run_id=self.case.instance.run_id,
            user_at=known.user_at,
            api_at=known.api_at,
            stream_at=known.stream_at,
            busy_since=known.busy_since,
            unknown_since=known.unknown_since,
            free_looks=known.free_looks,
            why=decision.why,
            evidence=decision.evidence,
            due_at=decision.due_at,
            looked_at=self.looked_at,
        )


def running() -> Sequence[Instance]:
    """Instances that run as wished: the only ones that may be released."""
    rows = Instance.objects.filter(state=InstanceState.RUNNING, desired_state=DesiredState.RUNNING)
    rows = rows.exclude(ready_at=None).exclude(upstream="")
    return list(rows.select_related("engine_version__engine", "gpu_class", "cluster", "tenant", "owner", "volume", "use"))


def look_at_all() -> None:
    """Look at every running instance once. Nothing is released while it cannot be known who uses what."""
    now = timezone.now()
    instances = running()
    try:
        recorded = read([instance.slug for instance in instances])
    except ActivityUnavailable as error:
        log.warning("nothing is released while use cannot be read: %s", error)
        return
    rules = all_rules()
    stops = upcoming_stops(instances, now)
    cases = []
    for each in instances:
        with undisturbed(each):
            known = recorded.get(each.slug, Recorded())
            cases.append(case_of(each, known, policy_for(each, rules), stop_at=stops.get(each.pk), now=now))
    asked = sorted(
        (case for case in cases if worth_asking(case, now)), key=lambda case: case.use.looked_at or case.known.ready_at
    )
    looks = ask_all([case.instance for case in asked])
    now = timezone.now()
    spans.record(sign for case in cases for sign in signs_of(case, looks.get(case.instance.pk), now))
    conclude_all(cases, looks, now)


@contextmanager
def undisturbed(instance: Instance) -> Iterator[None]:
    """One instance's trouble must not cost the others their look."""
    try:
        yield
    except Exception:
        log.exception("nothing could be concluded for %s", instance.slug)


def ask_all(instances: Sequence[Instance]) -> dict[UUID, Look]:
    """Ask many engines at once, those first that waited longest; one that is not reached in time is asked the next minute."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="look")
    questions = {pool.submit(ask, instance): instance.pk for instance in instances}
    answered, _late = wait(questions, timeout=BUDGET_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    for each in answered:
        if (error := each.exception()) is not None:
            log.error("an engine could not be asked", exc_info=error)
    return {questions[each]: each.result() for each in answered if each.exception() is None}


def upcoming_stops(instances: Sequence[Instance], now: datetime) -> dict[UUID, datetime]:
    """Say when schedules will stop which instance next, for those who should be warned; one query."""
    stops = list(
        Schedule.objects.filter(enabled=True, action=Schedule.Action.STOP, tenant__in={each.tenant_id for each in instances})
    )
    due = {stop.pk: calendar.next_due(days=stop.weekdays, at=stop.at, zone=stop.time_zone, after=now) for stop in stops}
    result: dict[UUID, datetime] = {}
    for instance in instances:
        mine = [stop for stop in stops if stop.tenant_id == instance.tenant_id and stop.instance_id in {None, instance.pk}]
        moments = [moment for stop in mine if (moment := due[stop.pk]) is not None]
        if moments:
            result[instance.pk] = min(moments)
    return result


def case_of(instance: Instance, recorded: Recorded, policy: Policy, *, stop_at: datetime | None, now: datetime) -> Case:
    """Read what is known of one instance. `stop_at`: when a schedule will stop it, if it has not yet."""
    use = joined_use(instance) or use_of(instance)
    known = known_of(instance, use, recorded, now)
    if known.stop_due_at is None:
        known = replace(known, stop_due_at=stop_at)
    return Case(instance, use, known, policy, next_due(known, policy, now, mute=is_mute(instance)))


def worth_asking(case: Case, now: datetime) -> bool:
    """Tell whether the engine's own word matters now."""
    if is_mute(case.instance) and not case.due.release:
        return False
    used = [moment for moment in (case.known.user_at, case.known.api_at) if moment is not None]
    is_quiet = not used or now - max(used) >= ASK_AFTER_QUIET
    is_near = case.due.due_at is not None and case.due.due_at - now <= ASK_BEFORE
    return is_near or is_quiet


def conclude_all(cases: Iterable[Case], looks: Mapping[UUID, Look], now: datetime) -> None:
    """Write down what was seen of all, then tell people and begin the releases that follow."""
    found = []
    for case in cases:
        with undisturbed(case.instance):
            found.append(conclusion(case, looks.get(case.instance.pk), now))
    write_down([each.seen for each in found])
    for each in found:
        with undisturbed(each.case.instance):
            follow(each, now)


def conclusion(case: Case, look: Look | None, now: datetime) -> Conclusion:
    """Decide what follows from a look, or from not having looked."""
    known = replace(case.known, free_looks=0) if look is None else counted(case.known, look, now)
    decision = case.due if look is None else decide(known, case.policy, now, look)
    if look is None and decision.release:  # never on an old word
        decision = replace(decision, release=False, why=Why.UNKNOWN)
    return Conclusion(case, known, decision, looked_at=case.use.looked_at if look is None else now)


def follow(found: Conclusion, now: datetime) -> None:
    """Tell open pages if the answer to "why" changes, warn people, and begin a release."""
    case, decision = found.case, found.decision
    then, soon = _is_soon(case.use.due_at, case.use.looked_at), _is_soon(decision.due_at, now)
    if case.use.why != decision.why or then != soon or (soon and case.use.due_at != decision.due_at):
        live.announce(case.instance)
    telling.warn(case.instance, case.use, found.known, decision, case.policy, now)
    if decision.release:
        marking.begin(case.instance, case.use)


def signs_of(case: Case, look: Look | None, now: datetime) -> list[Sign]:
    """Say what kinds of use the look has found."""
    found = [(UseSpan.Kind.USER, case.known.user_at), (UseSpan.Kind.API, case.known.api_at)]
    works = look is not None and (look.said == Said.BUSY or bool(look.load))
    found.append((UseSpan.Kind.WORK, now if works else case.known.stream_at))
    since = case.instance.ready_at or now
    return [Sign(case.instance, kind, at) for kind, at in found if at is not None and at >= since]


def _is_soon(due_at: datetime | None, looked_at: datetime | None) -> bool:
    """Whether pages that were told of this look count down: moments further off would change every minute that it is used."""
    return due_at is not None and looked_at is not None and due_at - looked_at <= SOON
