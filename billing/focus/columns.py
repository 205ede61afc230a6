"""The columns of our Cost and Usage files, as data. Pure.

A file has the columns of its version that say something about us, in this order: those of FOCUS by name, then our own, whose
names begin with x_. Left out is what FOCUS asks for under conditions that we do not meet (commitments, reservations, contracts)
and the region of a charge, which the books do not keep; HostProviderName, which they keep neither, is mandatory in 1.4, and null.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from billing.focus.vocabulary import (
    CHARGE_FREQUENCIES,
    COMMITMENT_STATUSES,
    CORRECTION,
    PRICING_CATEGORIES,
    SUBCATEGORIES,
    ChargeCategory,
)


class Version(StrEnum):
    """Editions of FOCUS that we write."""

    V1_2 = "1.2"
    V1_4 = "1.4"


class Kind(Enum):
    """What a cell holds where it is not null."""

    TEXT = auto()
    NUMBER = auto()  # plain decimal, "-" but no "+"
    PRICE = auto()  # the same, not below 0
    MOMENT = auto()  # 2026-03-14T00:00:00Z
    CURRENCY = auto()  # ISO 4217
    PAIRS = auto()  # a JSON object of single values


CUSTOM = "x_"
"""What the names of columns begin with that FOCUS does not know."""

_BOTH = (Version.V1_2, Version.V1_4)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `choices` are all values it may have, if there are so few; `required` ones are never null in our files."""

    name: str
    kind: Kind = Kind.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    versions: tuple[Version, ...] = _BOTH


_ALL = (
    Column("BilledCost", Kind.NUMBER, required=True),
    Column("BillingAccountId", required=True),
    Column("BillingAccountName"),
    Column("BillingAccountType", required=True),
    Column("BillingCurrency", Kind.CURRENCY, required=True),
    Column("BillingPeriodEnd", Kind.MOMENT, required=True),
    Column("BillingPeriodStart", Kind.MOMENT, required=True),
    Column("ChargeCategory", required=True, choices=tuple(ChargeCategory)),
    Column("ChargeClass", choices=(CORRECTION,)),
    Column("ChargeDescription"),
    Column("ChargeFrequency", required=True, choices=CHARGE_FREQUENCIES),
    Column("ChargePeriodEnd", Kind.MOMENT, required=True),
    Column("ChargePeriodStart", Kind.MOMENT, required=True),
    # Always null; the rules of 1.2 about ConsumedQuantity look for it.
    Column("CommitmentDiscountStatus", choices=COMMITMENT_STATUSES, versions=(Version.V1_2,)),
    Column("ConsumedQuantity", Kind.NUMBER),
    Column("ConsumedUnit"),
    Column("ContractedCost", Kind.NUMBER, required=True),
    Column("ContractedUnitPrice", Kind.PRICE),
    Column("EffectiveCost", Kind.NUMBER, required=True),
    Column("HostProviderName", versions=(Version.V1_4,)),
    # FOCUS lets it be null before there is an invoice; ours has its number from the period's first moment.
    Column("InvoiceId", required=True),
    Column("InvoiceIssuerName", required=True),
    Column("ListCost", Kind.NUMBER, required=True),
    Column("ListUnitPrice", Kind.PRICE),
    Column("PricingCategory", choices=PRICING_CATEGORIES),
    Column("PricingCurrency", Kind.CURRENCY, required=True),
    Column("PricingCurrencyContractedUnitPrice", Kind.PRICE),
    Column("PricingCurrencyEffectiveCost", Kind.NUMBER, required=True),
    Column("PricingCurrencyListUnitPrice", Kind.PRICE),
    Column("PricingQuantity", Kind.NUMBER),
    Column("PricingUnit"),
    Column("ProviderName", required=True, versions=(Version.V1_2,)),
    Column("PublisherName", required=True, versions=(Version.V1_2,)),
    Column("ResourceId"),
    Column("ResourceName"),
    Column("ResourceType"),
    Column("ServiceCategory", required=True, choices=tuple(SUBCATEGORIES)),
    Column("ServiceName", required=True),
    Column("ServiceProviderName", required=True, versions=(Version.V1_4,)),
    Column("ServiceSubcategory", required=True, choices=tuple(sub for subs in SUBCATEGORIES.values() for sub in subs)),
    Column("SkuId"),
    Column("SkuMeter"),
    Column("SkuPriceDetails", Kind.PAIRS),
    Column("SkuPriceId"),
    Column("SubAccountId"),
    Column("SubAccountName"),
    Column("SubAccountType"),
    Column("Tags", Kind.PAIRS),
    Column("x_ChargeKey", required=True),
    Column("x_CorrectionOf"),
    Column("x_GpuClass"),
    Column("x_Kind", required=True, choices=("original", "reversal", "replacement")),
    Column("x_LedgerSeq", Kind.NUMBER, required=True),
    Column("x_LineKey", required=True),
    Column("x_PriceVersionId"),
    Column("x_RunId"),
)

COLUMNS: dict[Version, tuple[Column, ...]] = {
    version: tuple(column for column in _ALL if version in column.versions) for version in Version
}
NAMES: dict[Version, tuple[str, ...]] = {version: tuple(column.name for column in own) for version, own in COLUMNS.items()}

OF_USAGE_ALONE = ("ConsumedQuantity", "ConsumedUnit", "ResourceId", "ResourceType")
"""Set where something was used, and null in all other rows of ours."""

OF_PRICED_ROWS = (
    *("ContractedUnitPrice", "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice"),
    *("PricingCategory", "PricingQuantity", "PricingUnit", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId"),
)
"""Set for usage and purchases, null for taxes, credits and adjustments."""

SKU_PRICE_DETAILS = frozenset(
    (
        *("CoreCount", "DiskMaxIops", "DiskSpace", "DiskType", "GpuCount", "InstanceSeries", "InstanceType", "MemorySize"),
        *("NetworkMaxIops", "NetworkMaxThroughput", "OperatingSystem", "Redundancy", "StorageClass"),
    )
)
"""Keys that FOCUS defines for SkuPriceDetails; all others begin with x_."""
