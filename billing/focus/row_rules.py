"""What every row of a FOCUS file has to keep by itself. Pure; `lint` asks these rules, and those that need more than one row.

Each rule yields (rule, column, what is wrong) for a row that breaks it. Rules read cells by column; null is the empty text.
Sources: the attributes and columns of FOCUS 1.2 and 1.4. A rule that cannot read a cell says nothing: the cell's own format does.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal

from billing.focus.cells import Broken, Rule, number
from billing.focus.columns import OF_PRICED_ROWS, OF_USAGE_ALONE
from billing.focus.vocabulary import CORRECTION, SUBCATEGORIES, ChargeCategory

Row = Mapping[str, str]
_EXACT = Context(prec=200)
_TOLERANCE = Decimal("1e-9")


def nulls_of_category(row: Row) -> Iterator[Broken]:
    """What is measured and priced is there where something was used, and nowhere else."""
    category = row["ChargeCategory"]
    if category not in set(ChargeCategory):
        return
    is_usage = category == ChargeCategory.USAGE
    for name in OF_USAGE_ALONE:
        if bool(row[name]) != is_usage:
            yield Rule.CATEGORY_NULL, name, f"is {'set' if row[name] else 'null'} in a row of {category}"
    is_priced = is_usage or category == ChargeCategory.PURCHASE
    for name in OF_PRICED_ROWS:
        if bool(row[name]) != is_priced:
            yield Rule.CATEGORY_NULL, name, f"is {'set' if row[name] else 'null'} in a row of {category}"


def units_with_quantities(row: Row) -> Iterator[Broken]:
    """A unit is null exactly where its quantity is."""
    for quantity, unit in (("PricingQuantity", "PricingUnit"), ("ConsumedQuantity", "ConsumedUnit")):
        if bool(row[quantity]) != bool(row[unit]):
            yield Rule.UNIT, unit, f"goes without {quantity}, or that without it"
        elif number(row[unit]) is not None:
            yield Rule.UNIT, unit, f"is a number: {row[unit]}"


def costs_are_price_times_quantity(row: Row) -> Iterator[Broken]:
    """In corrections too, and within a thousand-millionth of the cost, or of 1 where that is more."""
    quantity = number(row["PricingQuantity"])
    for price_name, cost_name in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
        price, cost = number(row[price_name]), number(row[cost_name])
        if quantity is None or price is None or cost is None:
            continue
        off = abs(_EXACT.subtract(_EXACT.multiply(price, quantity), cost))
        if off > _TOLERANCE * max(Decimal(1), abs(cost)):
            yield Rule.COST, cost_name, f"is {cost}, but {price_name} × PricingQuantity is {price} × {quantity}"


def effective_cost_is_billed(row: Row) -> Iterator[Broken]:
    """Nothing of a tax or a credit is spread over time."""
    if row["ChargeCategory"] in {ChargeCategory.TAX, ChargeCategory.CREDIT}:
        billed, effective = number(row["BilledCost"]), number(row["EffectiveCost"])
        if billed is not None and effective is not None and billed != effective:
            yield Rule.EFFECTIVE_COST, "EffectiveCost", f"is {effective}, and BilledCost {billed}"


def frequency_fits(row: Row) -> Iterator[Broken]:
    """What is bought is bought once or again and again, not by use."""
    if row["ChargeCategory"] == ChargeCategory.PURCHASE and row["ChargeFrequency"] == "Usage-Based":
        yield Rule.FREQUENCY, "ChargeFrequency", "is by usage in a row of Purchase"


def subcategory_has_its_parent(row: Row) -> Iterator[Broken]:
    """A subcategory belongs to one category."""
    category, sub = row["ServiceCategory"], row["ServiceSubcategory"]
    if sub and sub not in SUBCATEGORIES.get(category, ()):
        yield Rule.SUBCATEGORY, "ServiceSubcategory", f"{sub} is no part of {category}"


def times_are_in_order(row: Row) -> Iterator[Broken]:
    """Periods end after they begin; a charge lies within the period that bills it, unless it corrects one that was closed."""
    # Moments of one format, in one zone, compare as text.
    for what in ("ChargePeriod", "BillingPeriod"):
        if row[f"{what}Start"] >= row[f"{what}End"]:
            yield Rule.ORDER, f"{what}End", "is not after its beginning"
    if row["ChargeClass"] == CORRECTION:
        return
    if row["ChargePeriodStart"] < row["BillingPeriodStart"] or row["ChargePeriodEnd"] > row["BillingPeriodEnd"]:
        yield Rule.OUTSIDE_PERIOD, "ChargePeriodStart", "lies outside the billing period, and is no correction"


def reversal_takes_back(row: Row) -> Iterator[Broken]:
    """A reversal, and nothing else, says what it takes back; its quantities and costs are below 0, those of other usage not."""
    is_reversal = row["x_Kind"] == "reversal"
    if bool(row["x_CorrectionOf"]) != is_reversal:
        yield Rule.REVERSAL, "x_CorrectionOf", f"is {'null' if is_reversal else 'set'} in a row that is {row['x_Kind']}"
    if row["ChargeCategory"] != ChargeCategory.USAGE:
        return
    for name in ("BilledCost", "ListCost", "PricingQuantity", "ConsumedQuantity"):
        found = number(row[name])
        if found and (found < 0) != is_reversal:
            yield Rule.REVERSAL, name, f"has the wrong sign in a row that is {row['x_Kind']}: {found}"


def name_is_no_id(row: Row) -> Iterator[Broken]:
    """A resource without a name has none, not its id."""
    if row["ResourceName"] and row["ResourceName"] == row["ResourceId"]:
        yield Rule.RESOURCE_NAME, "ResourceName", "repeats the id"


RULES: tuple[Callable[[Row], Iterator[Broken]], ...] = (
    nulls_of_category,
    units_with_quantities,
    costs_are_price_times_quantity,
    effective_cost_is_billed,
    frequency_fits,
    subcategory_has_its_parent,
    times_are_in_order,
    reversal_takes_back,
    name_is_no_id,
)
