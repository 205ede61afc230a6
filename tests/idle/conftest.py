"""Running instances of the engine that ships with the portal, and time that passes by moving what is written back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db.models import F
from django.utils import timezone

from engines.activity import recorded
from engines.models import Instance, Schedule, Use
from engines.release import looking
from tests import driving


@pytest.fixture
def launch(alice_in_acme, gpu_class, cluster) -> Callable[..., Instance]:
    """Launch Loom, or the engine double with flags, as alice, and wait until it runs."""
    return partial(driving.launch, alice_in_acme, gpu_class)


@pytest.fixture
def pass_time() -> Callable[..., None]:
    return age


def age(instance: Instance, **time: float) -> None:
    """Let so much time pass for an instance: everything that is written of it was so much earlier."""
    by = timedelta(**time)
    Instance.objects.filter(pk=instance.pk).update(ready_at=F("ready_at") - by, state_since=F("state_since") - by)
    moments = (
        "user_at",
        "api_at",
        "stream_at",
        "busy_since",
        "unknown_since",
        "looked_at",
        "keep_until",
        "releasing_since",
        "due_at",
        "stop_due_at",
    )
    Use.objects.filter(instance=instance).update(**{name: F(name) - by for name in moments})
    Schedule.objects.filter(instance=instance).update(done_until=F("done_until") - by)
    known = recorded.read([instance.slug])[instance.slug]
    for name in ("user_at", "api_at", "work_at"):
        moment = getattr(known, name)
        if moment is not None:
            record(instance, **{name: moment - by})


def record(instance: Instance, **moments: datetime) -> None:
    """Write what gwauth would."""
    values = {name: f"{moment.timestamp():.3f}" for name, moment in moments.items()}
    recorded._valkey().hset(recorded._key(instance.slug), mapping=values)


@pytest.fixture(autouse=True)
def streams_are_counted(request) -> None:
    """A gateway is up and counts open streams of work."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        recorded._valkey().hset(recorded._key("*"), "any_at", timezone.now().timestamp())


@pytest.fixture
def look() -> Callable[..., Use]:
    return look_at


def look_at(instance: Instance, times: int = 1) -> Use:
    """The minute's look, `times` with a minute between; gives what was written last."""
    for number in range(times):
        if number:
            age(instance, minutes=1)
        looking.look_at_all()
    return Use.objects.get(instance=instance)
