"""Operators enter prices and look at the books."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import Price
from billing.operations import set_price, set_terms
from tests import factories

ADD = "admin:billing_price_add"
NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


def entered(gpu_class, per_hour, starts_at, tenant="") -> dict[str, object]:
    return {
        "gpu_class": gpu_class.pk,
        "tenant": tenant,
        "per_hour": per_hour,
        "starts_at_0": f"{starts_at:%Y-%m-%d}",
        "starts_at_1": f"{starts_at:%H:%M:%S}",
    }


def test_a_new_price_ends_the_one_before(operator, gpu_class, olga):
    set_price(gpu_class=gpu_class, per_hour=Decimal("1.00"), starts_at=NOON - timedelta(days=3))
    assert operator.post(reverse(ADD), entered(gpu_class, "2.50", NOON)).status_code == 302
    assert list(Price.objects.order_by("starts_at").values_list("per_hour", "starts_at", "ends_at", "created_by")) == [
        (Decimal("1.00"), NOON - timedelta(days=3), NOON, None),
        (Decimal("2.50"), NOON, None, olga.pk),
    ]


def test_a_price_of_one_tenant_stands_beside_the_list_price(operator, gpu_class, acme):
    operator.post(reverse(ADD), entered(gpu_class, "2", NOON))
    operator.post(reverse(ADD), entered(gpu_class, "1", NOON, acme.pk))
    assert set(Price.objects.values_list("tenant", "per_hour", "ends_at")) == {
        (None, Decimal(2), None),
        (acme.pk, Decimal(1), None),
    }


@pytest.mark.parametrize("per_hour", ["-1", "NaN", "0.0000000001", "", "1,50", "1.234,50"])
def test_impossible_prices_are_refused_in_the_form(operator, gpu_class, per_hour):
    refused = operator.post(reverse(ADD), entered(gpu_class, per_hour, NOON))
    assert set(refused.context["adminform"].form.errors) == {"per_hour"}
    assert not Price.objects.exists()


def test_prices_are_typed_as_text(operator):
    """A browser's number field makes 150 of what is typed as 1,50."""
    pages = [operator.get(reverse(name)).content.decode() for name in (ADD, "admin:billing_price_lists")]
    assert [re.findall(r'<input type="(\w+)" name="(\w*per_hour)"', page) for page in pages] == [
        [("text", "per_hour"), ("text", "list_per_hour")],
        [("text", "per_hour")],
    ]


def test_a_tenant_s_own_price_is_in_its_own_currency(operator, gpu_class, acme):
    set_terms(tenant=acme, now=NOON, currency="EUR")
    for tenant in ("", acme.pk):
        assert operator.post(reverse(ADD), entered(gpu_class, "2", NOON) | {"tenant": tenant}).status_code == 302
    assert list(Price.objects.order_by("pk").values_list("tenant", "currency")) == [(None, "USD"), (acme.pk, "EUR")]


def test_a_price_without_a_gpu_class_is_one_of_storage(operator, gpu_class):
    assert operator.post(reverse(ADD), entered(gpu_class, "0.000137", NOON) | {"gpu_class": ""}).status_code == 302
    price = Price.objects.get()
    assert (price.gpu_class, price.storage_class, price.money.exact) == (None, "", "USD 0.000137")


@pytest.mark.parametrize("name", ["price", "usageinterval", "charge", "billingperiod"])
def test_the_books_are_read_only(operator, gpu_class, name):
    price = set_price(gpu_class=gpu_class, per_hour=Decimal(1), starts_at=NOON)
    assert operator.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
    if name == "price":
        change = reverse("admin:billing_price_change", args=[price.pk])
        assert operator.get(change).status_code == 200
        assert operator.post(change, entered(gpu_class, "9", NOON)).status_code == 403
        assert operator.post(reverse("admin:billing_price_delete", args=[price.pk]), {"post": "yes"}).status_code == 403
    else:
        assert operator.get(reverse(f"admin:billing_{name}_add")).status_code == 403
    assert Price.objects.get().per_hour == 1


def test_staff_without_the_right_enter_no_price(client, gpu_class):
    sam = factories.make_operator("sam", "billing.view_price")
    client.force_login(sam)
    assert client.get(reverse("admin:billing_price_changelist")).status_code == 200
    assert client.post(reverse(ADD), entered(gpu_class, "1", NOON)).status_code == 403
    assert not Price.objects.exists()
