"""Every rule catches the defect it is there for, and says nothing else about the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from focus_data_toolkit.model.validator import COND_MULTIPLE_PRICING_CATEGORIES, COND_UNIT_PRICING, lint_focus_1_4_structure

from billing.focus.cells import Rule
from billing.focus.columns import NAMES, Version
from billing.focus.lint import lint
from tests.billing.focus.examples import as_dicts, month

FIRST, SECOND, SHARED, DISK, REVERSAL, CREDIT, TAX = 1, 2, 5, 7, 8, 12, 13
"""Rows of the month, counted from 1."""
USAGE_ROWS = range(1, 12)
ALL_ROWS = range(1, 15)
Found = list[tuple[int, Rule, str]]


@dataclass(frozen=True)
class Defect:
    """Cells that are changed, by row and column, and all that is to be found then."""

    changes: Mapping[int, Mapping[str, str]]
    found: Found
    version: Version = Version.V1_4
    payable: Mapping[str, str] = field(default_factory=dict)


def one(row: int, column: str, value: str, rule: Rule) -> Defect:
    """One wrong cell, of which one rule complains."""
    return Defect({row: {column: value}}, [(row, rule, column)])


NO_USE = {"ConsumedQuantity": "", "ConsumedUnit": "", "ResourceId": "", "ResourceType": ""}
DEFECTS: list[tuple[Rule, Defect]] = [
    (Rule.NULL, one(FIRST, "BilledCost", "", Rule.NULL)),
    (Rule.NULL_WORD, one(FIRST, "ResourceName", "N/A", Rule.NULL_WORD)),
    (Rule.NUMBER, one(FIRST, "BilledCost", "2,50", Rule.NUMBER)),
    (Rule.NUMBER, one(FIRST, "EffectiveCost", "+2.5", Rule.NUMBER)),
    (Rule.NEGATIVE_PRICE, one(FIRST, "PricingCurrencyListUnitPrice", "-2.8", Rule.NEGATIVE_PRICE)),
    (Rule.MOMENT, one(FIRST, "ChargePeriodStart", "2026-03-14 04:00:00Z", Rule.MOMENT)),
    (Rule.MOMENT, one(FIRST, "BillingPeriodEnd", "2026-03-32T00:00:00Z", Rule.MOMENT)),
    (Rule.CURRENCY, one(FIRST, "PricingCurrency", "RMB", Rule.CURRENCY)),
    (Rule.CHOICE, one(FIRST, "ChargeFrequency", "Hourly", Rule.CHOICE)),
    (Rule.PAIRS, one(FIRST, "Tags", '{"project":{"name":"spring"}}', Rule.PAIRS)),
    (Rule.PAIRS, one(FIRST, "Tags", '{"project":"spring","project":"summer"}', Rule.PAIRS)),
    (Rule.PAIRS, one(FIRST, "Tags", '[["project","spring"]]', Rule.PAIRS)),
    (Rule.PAIRS, one(FIRST, "Tags", "project=spring", Rule.PAIRS)),
    (Rule.PAIRS_PREFIX, one(DISK, "SkuPriceDetails", '{"Colour":"red"}', Rule.PAIRS_PREFIX)),
    (Rule.CATEGORY_NULL, one(CREDIT, "SkuMeter", "GPU Running Time", Rule.CATEGORY_NULL)),
    (Rule.CATEGORY_NULL, one(FIRST, "ResourceId", "", Rule.CATEGORY_NULL)),
    (Rule.UNIT, one(FIRST, "PricingUnit", "1", Rule.UNIT)),
    (
        Rule.UNIT,
        Defect({FIRST: {"ConsumedUnit": ""}}, [(FIRST, Rule.CATEGORY_NULL, "ConsumedUnit"), (FIRST, Rule.UNIT, "ConsumedUnit")]),
    ),
    (Rule.COST, one(FIRST, "ListCost", "9.99", Rule.COST)),
    (Rule.COST, one(FIRST, "ContractedCost", "2.500000003", Rule.COST)),
    (Rule.EFFECTIVE_COST, one(TAX, "EffectiveCost", "0", Rule.EFFECTIVE_COST)),
    (
        Rule.FREQUENCY,
        Defect({FIRST: NO_USE | {"ChargeCategory": "Purchase"}}, [(FIRST, Rule.FREQUENCY, "ChargeFrequency")]),
    ),
    (Rule.SUBCATEGORY, one(FIRST, "ServiceSubcategory", "Virtual Machines", Rule.SUBCATEGORY)),
    (Rule.ORDER, one(FIRST, "ChargePeriodEnd", "2026-03-14T05:00:00Z", Rule.ORDER)),
    (Rule.OUTSIDE_PERIOD, one(FIRST, "ChargePeriodStart", "2026-02-28T15:59:59Z", Rule.OUTSIDE_PERIOD)),
    (Rule.REVERSAL, one(FIRST, "x_CorrectionOf", "00000000-0000-0000-0000-000000000002/0", Rule.REVERSAL)),
    (Rule.REVERSAL, one(REVERSAL, "x_CorrectionOf", "", Rule.REVERSAL)),
    (Rule.REVERSAL, one(REVERSAL, "BilledCost", "2.5", Rule.REVERSAL)),
    (
        Rule.RESOURCE_NAME,
        one(FIRST, "ResourceName", "aigc://portal.example.com/instance/00000000-0000-0000-0000-00000000000a", Rule.RESOURCE_NAME),
    ),
    (Rule.DUPLICATE, one(SECOND, "x_ChargeKey", "00000000-0000-0000-0000-000000000001/0", Rule.DUPLICATE)),
    (
        Rule.SERVICE,
        Defect(
            {SHARED: {"ServiceCategory": "Compute", "ServiceSubcategory": "Virtual Machines"}},
            [(SHARED, Rule.SERVICE, "ServiceCategory")],
        ),
    ),
    (Rule.SKU_PRICE, one(SECOND, "SkuId", "gpu.l4", Rule.SKU_PRICE)),
    (Rule.SKU_PRICE, one(SECOND, "SkuPriceDetails", '{"GpuCount":2}', Rule.SKU_PRICE)),
    (Rule.INVOICE_CURRENCY, one(SECOND, "BillingCurrency", "EUR", Rule.INVOICE_CURRENCY)),
    (
        Rule.INVOICE_SUM,
        Defect({}, [(0, Rule.INVOICE_SUM, "BilledCost")], payable={"acme-2026-03": "1"}),
    ),
]


def findings(defect: Defect) -> Found:
    rows = as_dicts(month(), defect.version)
    for number, changed in defect.changes.items():
        rows[number - 1] |= changed
    header = NAMES[defect.version]
    found = lint(header, [[row[name] for name in header] for row in rows], defect.version, payable=defect.payable)
    return [(each.row, each.rule, each.column) for each in found]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(("rule", "defect"), DEFECTS)
def test_a_defect_is_found_and_nothing_else(rule: Rule, defect: Defect, version: Version) -> None:
    found = findings(Defect(defect.changes, defect.found, version, defect.payable))
    assert found == defect.found
    assert rule in {each for _row, each, _column in found}


def test_every_rule_has_a_defect() -> None:
    of_shape = {Rule.COLUMNS, Rule.CELLS}
    assert {rule for rule, _defect in DEFECTS} | of_shape == set(Rule)


def test_a_row_with_a_cell_too_few_is_found_and_the_others_are_judged() -> None:
    header = NAMES[Version.V1_4]
    rows = [list(row.values()) for row in as_dicts(month(), Version.V1_4)]
    del rows[1][-1]
    rows[2][header.index("BilledCost")] = ""
    found = [(each.row, each.rule, each.column) for each in lint(header, rows, Version.V1_4)]
    assert found == [(2, Rule.CELLS, ""), (3, Rule.NULL, "BilledCost")]


SOUND = list(NAMES[Version.V1_4])
OLDER = list(NAMES[Version.V1_2])
OF_NEWER = ["HostProviderName", "ServiceProviderName"]
OF_OLDER = ["CommitmentDiscountStatus", "ProviderName", "PublisherName"]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (SOUND[1:], ["BilledCost"]),
        ([*SOUND, "x_Colour"], ["x_Colour"]),
        ([*SOUND, SOUND[-1]], [""]),
        ([SOUND[-1], *SOUND[:-1]], [""]),
        ([SOUND[1], SOUND[0], *SOUND[2:]], [""]),
        (OLDER, OF_NEWER + OF_OLDER),
    ],
    ids=["missing", "unknown", "twice", "custom first", "order", "other version"],
)
def test_a_header_that_is_not_ours_is_found_and_its_rows_are_not_read(header: list[str], columns: list[str]) -> None:
    found = [(each.row, each.rule, each.column) for each in lint(header, [["nothing"]], Version.V1_4)]
    assert found == [(0, Rule.COLUMNS, column) for column in columns]


def every(rows: range, column: str, value: str) -> dict[int, dict[str, str]]:
    return {row: {column: value} for row in rows}


SEEDED: dict[str, tuple[Mapping[int, Mapping[str, str]], Found]] = {
    "null cost": ({FIRST: {"BilledCost": ""}}, [(FIRST, Rule.NULL, "BilledCost")]),
    "RMB": (every(ALL_ROWS, "BillingCurrency", "RMB"), [(row, Rule.CURRENCY, "BillingCurrency") for row in ALL_ROWS]),
    "every list cost": (
        every(ALL_ROWS, "ListCost", "9.99"),
        [
            (row, rule, "ListCost")
            for row in USAGE_ROWS
            for rule in ([Rule.COST, Rule.REVERSAL] if row in {REVERSAL, 10} else [Rule.COST])
        ],
    ),
    "charge category": ({FIRST: {"ChargeCategory": "Use"}}, [(FIRST, Rule.CHOICE, "ChargeCategory")]),
    "service subcategory": (
        {FIRST: {"ServiceSubcategory": "Object Storage"}},
        [(FIRST, Rule.SUBCATEGORY, "ServiceSubcategory")],
    ),
    "blank in a moment": (
        {FIRST: {"ChargePeriodStart": "2026-03-14 00:00:00"}},
        [(FIRST, Rule.MOMENT, "ChargePeriodStart")],
    ),
    "nested tags": ({FIRST: {"Tags": '{"team":{"name":"fx"}}'}}, [(FIRST, Rule.PAIRS, "Tags")]),
    "duplicate key": (
        {SECOND: {"x_ChargeKey": "00000000-0000-0000-0000-000000000001/0"}},
        [(SECOND, Rule.DUPLICATE, "x_ChargeKey")],
    ),
}
"""Defects that validators in public use were seen to pass over, and a row that is there twice."""


SECOND_OPINION: dict[str, set[tuple[str, str]]] = {
    "null cost": {("null_not_allowed", "BilledCost")},
    "RMB": {("bad_currency", "BillingCurrency")},
    "every list cost": {("cost_not_unit_price_times_quantity", "ListCost")},
    "charge category": {
        ("not_in_allowed_values", "ChargeCategory"),
        ("consumption_not_applicable", "ConsumedQuantity"),
        ("consumption_not_applicable", "ConsumedUnit"),
    },
    "service subcategory": {("wrong_parent_category", "ServiceSubcategory")},
    "blank in a moment": {("bad_datetime", "ChargePeriodStart")},
    "nested tags": {("key_value_value_not_scalar", "Tags")},
    "duplicate key": set(),
}
"""What the toolkit says, by rule and column; x_ChargeKey is our own column, of which it knows nothing."""


@pytest.mark.parametrize("name", SEEDED)
def test_seeded_defects_are_found(name: str) -> None:
    changes, expected = SEEDED[name]
    assert findings(Defect(changes, expected)) == expected


@pytest.mark.parametrize("name", SEEDED)
def test_the_toolkit_names_the_same_rows(name: str) -> None:
    changes, expected = SEEDED[name]
    rows = as_dicts(month(), Version.V1_4)
    for number, changed in changes.items():
        rows[number - 1] |= changed
    supported = {COND_UNIT_PRICING, COND_MULTIPLE_PRICING_CATEGORIES}
    violations = lint_focus_1_4_structure("cost and usage", rows, supported_conditions=supported).violations
    assert {(each.rule, each.column) for each in violations} == SECOND_OPINION[name]
    if SECOND_OPINION[name]:
        assert {each.row_index + 1 for each in violations} == {row for row, _rule, _column in expected}
