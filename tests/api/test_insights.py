"""Insights through the API: the page's figures, as decimal texts."""

from collections.abc import Callable
from decimal import Decimal

import time_machine

from billing.operations import set_price, settle
from engines.models import Cluster, GpuClass, Instance, InstanceEvent, UseSpan
from engines.reasons import Reason
from engines.states import InstanceState
from tenants.models import Tenant, User
from tests import factories
from tests.api.conftest import Program
from tests.billing.facts import BEGINNING, moment, record

PATH = "/tenants/acme/billing/insights"
NOW = moment("2026-03-10T20:00:00")


def test_the_figures_of_the_page(
    acme: Tenant, alice: User, cluster: Cluster, gpu_class: GpuClass, program_of: Callable[..., Program]
) -> None:
    with time_machine.travel(NOW, tick=False):
        alices = program_of(alice)
        assert alices("GET", PATH).json()["timeSharing"] is None
        set_price(gpu_class=gpu_class, per_hour=Decimal("2.50"), starts_at=BEGINNING)
        instance = factories.make_instance(acme, alice, cluster, gpu_class=gpu_class, state=InstanceState.STOPPED)
        Instance.objects.update(created_at=moment("2026-03-10T08:00:00"))
        for kind, at in (("ready", "2026-03-10T10:00:00"), ("ended", "2026-03-10T14:00:00")):
            record(instance, kind, moment(at), run_id="a")
        settle(instance.pk, now=NOW)
        used = {"began_at": moment("2026-03-10T10:00:00"), "ended_at": moment("2026-03-10T10:59:00")}
        UseSpan.objects.create(instance=instance, run_id="a", kind="user", **used)
        assert alices("GET", f"{PATH}?window=today").json()["realisedSavings"] is None
        InstanceEvent.objects.create(
            instance=instance, kind="wish", reason=Reason.IDLE_RELEASED, run_id="a", at=NOW, generation=1
        )
        found = alices("GET", f"{PATH}?window=today").json()
        assert alices("GET", f"{PATH}?window=nonsense").status_code == 400
        assert alices("GET", f"{PATH}?window=2025-01-01,2025-02-01").status_code == 400
    assert found["window"] == {"start": "2026-03-10T00:00:00Z", "end": "2026-03-10T20:00:00Z"}
    assert (found["currency"], found["ownOnly"], found["pools"], found["sizes"]) == ("USD", True, [], [])
    sharing = found["timeSharing"]
    assert (sharing["alwaysOnCost"], sharing["paidCost"], sharing["savedCost"]) == (
        *("30.000000000", "10.000000000"),
        "20.000000000",
    )
    assert (found["idle"]["idleCost"], found["idle"]["causes"][1]) == (
        "7.500000000",
        {"cause": "tail", "seconds": 10800, "cost": "7.500000000"},
    )
    assert found["realisedSavings"] == {
        "method": "until-next-start-within-working-day", "releases": 1, "claimedSeconds": 21600, "savedCost": "15.000000000",
        "formulas": [f"{gpu_class.name}: n = 1; 2.50 × 21600 s ÷ 3600 = USD 15.00"],
    }  # fmt: skip
    [active] = found["activeHours"]
    assert (active["costPerActiveHour"], active["pictures"], active["costPerPicture"]) == ("10.000000000", None, None)
    pausing = found["autoPause"]
    assert (pausing["runs"], pausing["startSeconds"], pausing["isStartMeasured"], pausing["bestMinutes"]) == (1, 180, False, 3)
    assert pausing["choices"][0] == {
        "minutes": 3, "savedCost": "7.416666667", "savedSeconds": 10680, "resumesADay": "0.0",
    }  # fmt: skip
