"""Rows say what the books say, digit by digit."""

from decimal import Decimal

import pytest
from focus_data_toolkit.model.validator import COND_MULTIPLE_PRICING_CATEGORIES, COND_UNIT_PRICING, lint_focus_1_4_structure
from hypothesis import given
from hypothesis import strategies as st

from billing.focus.columns import NAMES, Version
from billing.focus.lint import lint
from billing.focus.rows import plain
from tests.billing.focus.examples import as_dicts, cells, gpu_usage, line, month

PRICES = st.decimals(min_value=0, max_value=100_000, places=9)


def test_a_gpu_hour_in_part() -> None:
    (row,) = as_dicts([line(4, gpu_usage(2643), tag="spring campaign")], Version.V1_4)
    assert {name: value for name, value in row.items() if value} == {
        "BilledCost": "1.835416667",
        "BillingAccountId": "aigc://portal.example.com/tenant/3",
        "BillingAccountName": "Acme",
        "BillingAccountType": "Tenant",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2026-03-31T16:00:00Z",
        "BillingPeriodStart": "2026-02-28T16:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": "GPU H100 80GB: running time",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-03-14T04:44:03Z",
        "ChargePeriodStart": "2026-03-14T04:00:00Z",
        "ConsumedQuantity": "2643",
        "ConsumedUnit": "GPU-Seconds",
        "ContractedCost": "1.835416667",
        "ContractedUnitPrice": "2.500000000",
        "EffectiveCost": "1.835416667",
        "InvoiceId": "acme-2026-03",
        "InvoiceIssuerName": "AIGC Portal",
        "ListCost": "2.055666667",
        "ListUnitPrice": "2.800000000",
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingCurrencyContractedUnitPrice": "2.500000000",
        "PricingCurrencyEffectiveCost": "1.835416667",
        "PricingCurrencyListUnitPrice": "2.800000000",
        "PricingQuantity": "0.73416666666667",
        "PricingUnit": "GPU-Hours",
        "ResourceId": "aigc://portal.example.com/instance/00000000-0000-0000-0000-00000000000a",
        "ResourceName": "poster",
        "ResourceType": "AIGC Engine Instance",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "AIGC Engine Compute",
        "ServiceProviderName": "AIGC Portal",
        "ServiceSubcategory": "Generative AI",
        "SkuId": "gpu.h100-80g",
        "SkuMeter": "GPU Running Time",
        "SkuPriceDetails": '{"GpuCount":1,"x_GpuMemoryMiB":81920}',
        "SkuPriceId": "gpu.h100-80g/on-demand",
        "SubAccountId": "aigc://portal.example.com/user/5",
        "SubAccountName": "alice",
        "SubAccountType": "User",
        "Tags": '{"project":"spring campaign"}',
        "x_ChargeKey": "00000000-0000-0000-0000-000000000004/0",
        "x_GpuClass": "h100-80g",
        "x_Kind": "original",
        "x_LedgerSeq": "4",
        "x_LineKey": "00000000-0000-0000-0000-000000000004",
        "x_PriceVersionId": "7",
        "x_RunId": "run-1",
    }


@pytest.mark.parametrize("version", Version)
def test_a_month_passes(version: Version) -> None:
    lines = month()
    payable = {name: sum(each.amount for each in lines if each.period.invoice_number == name) for name in INVOICES}
    assert list(lint(NAMES[version], cells(lines, version), version, payable=payable)) == []


INVOICES = ("acme-2026-03", "acme-2026-04")


def test_sums_of_a_file_are_those_of_the_books() -> None:
    lines = month()
    rows = as_dicts(lines, Version.V1_2)
    assert sum(Decimal(row["BilledCost"]) for row in rows) == sum(each.amount for each in lines)
    assert sum(Decimal(row["ListCost"]) for row in rows) == sum(each.list_amount for each in lines)


def test_a_reversal_names_the_row_it_takes_back() -> None:
    rows = {row["x_LedgerSeq"]: row for row in as_dicts(month(), Version.V1_4)}
    assert rows["8"]["x_CorrectionOf"] == rows["1"]["x_ChargeKey"]
    assert rows["10"]["x_CorrectionOf"] == rows["9"]["x_ChargeKey"]
    assert (rows["8"]["ChargeClass"], rows["10"]["ChargeClass"]) == ("", "Correction")
    assert (rows["8"]["PricingQuantity"], rows["8"]["BilledCost"]) == ("-1", "-2.500000000")


def test_text_goes_through_as_it_is() -> None:
    """Case 23: a machine gets what somebody typed; quotes do the rest."""
    name = '=HYPERLINK("x"),\n海报 🖼 \u202eabc'
    named = line(1, gpu_usage())
    object.__setattr__(named.usage, "resource_name", name)
    (row,) = as_dicts([named], Version.V1_2)
    assert row["ResourceName"] == name


def test_versions_differ_in_whom_they_name() -> None:
    old, new = set(NAMES[Version.V1_2]), set(NAMES[Version.V1_4])
    assert old - new == {"CommitmentDiscountStatus", "ProviderName", "PublisherName"}
    assert new - old == {"HostProviderName", "ServiceProviderName"}


def test_the_toolkit_agrees() -> None:
    supported = {COND_UNIT_PRICING, COND_MULTIPLE_PRICING_CATEGORIES}
    report = lint_focus_1_4_structure("cost and usage", as_dicts(month(), Version.V1_4), supported_conditions=supported)
    assert (report.row_count, report.messages()) == (14, [])


@given(seconds=st.integers(1, 3600), milli=st.integers(1, 8000), net=PRICES, listed=PRICES)
def test_price_times_quantity_is_the_cost_in_every_row(seconds: int, milli: int, net: Decimal, listed: Decimal) -> None:
    usage = gpu_usage(seconds, per_hour=str(net), list_per_hour=str(listed), quantity_milli=milli)
    assert list(lint(NAMES[Version.V1_4], cells([line(1, usage)], Version.V1_4), Version.V1_4)) == []


@pytest.mark.parametrize(
    ("number", "written"), [("0", "0"), ("0.00", "0"), ("100", "100"), ("-0.250", "-0.25"), ("1e-14", "0.00000000000001")]
)
def test_numbers_are_plain(number: str, written: str) -> None:
    assert plain(Decimal(number)) == written
