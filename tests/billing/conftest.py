"""An instance of alice's whose hour costs USD 2.50."""

from collections.abc import Callable
from decimal import Decimal

import hypothesis
import pytest

from billing.operations import set_price
from engines.models import GpuClass, Instance
from engines.states import InstanceState
from tenants.models import Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def h100(db: None) -> GpuClass:
    gpu_class = factories.make_gpu_class("h100", name="H100")
    set_price(gpu_class=gpu_class, per_hour=Decimal("2.50"), starts_at=BEGINNING)
    return gpu_class


@pytest.fixture
def make_running(h100: GpuClass, acme: Tenant, alice: User) -> Callable[..., Instance]:
    cluster = factories.make_cluster("/nowhere", gpu_class=h100)

    def make(**fields: object) -> Instance:
        defaults = {"tenant": acme, "owner": alice, "cluster": cluster, "gpu_class": h100, "state": InstanceState.RUNNING}
        return factories.make_instance(**defaults | fields)

    return make


@pytest.fixture
def instance(make_running: Callable[..., Instance]) -> Instance:
    return make_running(name="poster")
