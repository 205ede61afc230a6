"""From a line of the books to a row of a FOCUS file. Pure; null is the empty text.

Every row is one line, so that unit price × quantity = cost holds in each, and the sums of a file are those of the books.
Amounts and prices have the nine decimals of the books; quantities as many as they need, of GPU-hours and GiB-hours at most
QUANTITY_PLACES.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from billing.focus.columns import NAMES, Version
from billing.focus.vocabulary import CORRECTION, ChargeCategory
from billing.money import PLACES, round_half_even

QUANTITY_PLACES = 14
"""FOCUS wants price × quantity within a nano of the cost. Twelve decimals keep that for prices up to 1,000 an hour, which a GPU
in yen, won or rupiah exceeds; fourteen do up to 100,000, and are what a Parquet file of ours has room for."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who sends the bill: `site` is the host name that makes ids unique in the world."""

    site: str
    name: str

    def urn(self, kind: str, pk: object) -> str:
        """Return an id that no renaming changes: "aigc://portal.example.com/instance/…"."""
        return f"aigc://{self.site}/{kind}/{pk}"


@dataclass(frozen=True, slots=True)
class Period:
    """The billing period that posts a line."""

    starts_at: datetime
    ends_at: datetime
    invoice_number: str


@dataclass(frozen=True, slots=True)
class Sku:
    """What is priced by the hour: a GPU class, or GiB of a storage class (`gpu_count` is None)."""

    slug: str
    name: str
    gpu_count: int | None = None
    gpu_memory_mib: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a line of usage measured; negative `seconds` take some back."""

    sku: Sku
    seconds: int
    quantity_milli: int
    per_hour: Decimal
    list_per_hour: Decimal
    resource_id: UUID
    resource_name: str
    price_id: int | None
    run_id: str = ""

    @property
    def is_gpu(self) -> bool:
        return self.sku.gpu_count is not None

    @property
    def unit_seconds(self) -> Fraction:
        """GPU-seconds or GiB-seconds."""
        return Fraction(self.seconds * self.quantity_milli, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookLine:
    """One line of the books with what a reader needs to know of those whom it concerns."""

    number: int  # in the books, rising
    line_key: UUID
    revision: int
    kind: str  # original, reversal, replacement
    category: ChargeCategory
    tenant_id: int
    tenant_name: str
    owner_id: int | None
    owner_name: str
    period: Period
    is_correction: bool
    starts_at: datetime
    ends_at: datetime
    currency: str
    amount: Decimal
    list_amount: Decimal
    tag: str = ""
    reason: str = ""
    usage: Usage | None = None  # None: a credit, an adjustment or a tax

    @property
    def key(self) -> str:
        """Of this row, in the whole world and for ever."""
        return _key(self.line_key, self.revision, is_reversal=self.kind == "reversal")

    @property
    def taken_back(self) -> str:
        """The key of the row that this one takes back: a reversal is always the next word after what it undoes."""
        return _key(self.line_key, self.revision - 1, is_reversal=False) if self.kind == "reversal" else ""


def focus_row(line: BookLine, issuer: Issuer, version: Version) -> tuple[str, ...]:
    """Return the cells of the line's row, in the order of `columns.NAMES`."""
    cells = {**_who(line, issuer), **_what(line), **_costs(line), **_own(line)}
    cells |= _measured(line.usage, issuer) if line.usage else _OTHER_SERVICE
    return tuple(cells.get(name, "") for name in NAMES[version])


def plain(number: Decimal | Fraction) -> str:
    """Write without exponent and without trailing zeros."""
    exact = round_half_even(number, QUANTITY_PLACES)
    return f"{exact.normalize():f}" if exact else "0"


def moment(at: datetime) -> str:
    """Write as FOCUS does, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pairs(values: Mapping[str, str | int]) -> str:
    """Write a JSON object on one line, its keys in order."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _key(line_key: UUID, revision: int, *, is_reversal: bool) -> str:
    return f"{line_key}/{revision}" + ("/reversal" if is_reversal else "")


def _who(line: BookLine, issuer: Issuer) -> dict[str, str]:
    owner = {
        "SubAccountId": issuer.urn("user", line.owner_id),
        "SubAccountName": line.owner_name,
        "SubAccountType": "User",
    }
    return {
        "BillingAccountId": issuer.urn("tenant", line.tenant_id),
        "BillingAccountName": line.tenant_name,
        "BillingAccountType": "Tenant",
        "InvoiceId": line.period.invoice_number,
        "InvoiceIssuerName": issuer.name,
        "ProviderName": issuer.name,
        "PublisherName": issuer.name,
        "ServiceProviderName": issuer.name,
        **(owner if line.owner_id is not None else {}),
    }


def _what(line: BookLine) -> dict[str, str]:
    return {
        "BillingPeriodStart": moment(line.period.starts_at),
        "BillingPeriodEnd": moment(line.period.ends_at),
        "ChargePeriodStart": moment(line.starts_at),
        "ChargePeriodEnd": moment(line.ends_at),
        "ChargeCategory": line.category,
        "ChargeClass": CORRECTION if line.is_correction else "",
        "ChargeDescription": line.reason,
        "ChargeFrequency": "Usage-Based" if line.usage else "One-Time",
        "Tags": pairs({"project": line.tag}) if line.tag else "",
    }


def _costs(line: BookLine) -> dict[str, str]:
    net, listed = _amount(line.amount), _amount(line.list_amount)
    return {
        "BillingCurrency": line.currency,
        "PricingCurrency": line.currency,
        "BilledCost": net,
        "ContractedCost": net,
        "EffectiveCost": net,
        "ListCost": listed,
        "PricingCurrencyEffectiveCost": net,
    }


def _measured(usage: Usage, issuer: Issuer) -> dict[str, str]:
    listed, contracted = _amount(usage.list_per_hour), _amount(usage.per_hour)
    unit = "GPU" if usage.is_gpu else "GiB"
    of_kind = _gpu(usage, issuer) if usage.is_gpu else _storage(usage, issuer)
    return {
        "ConsumedQuantity": plain(usage.unit_seconds),
        "ConsumedUnit": f"{unit}-Seconds",
        "PricingQuantity": plain(usage.unit_seconds / 3600),
        "PricingUnit": f"{unit}-Hours",
        "PricingCategory": "Standard",
        "ListUnitPrice": listed,
        "ContractedUnitPrice": contracted,
        "PricingCurrencyListUnitPrice": listed,
        "PricingCurrencyContractedUnitPrice": contracted,
        "ResourceName": usage.resource_name,
        "x_PriceVersionId": "" if usage.price_id is None else str(usage.price_id),
        "x_RunId": usage.run_id,
        **of_kind,
    }


def _gpu(usage: Usage, issuer: Issuer) -> dict[str, str]:
    sku = usage.sku
    return {
        "ChargeDescription": f"GPU {sku.name}: running time",
        "ResourceId": issuer.urn("instance", usage.resource_id),
        "ResourceType": "AIGC Engine Instance",
        "ServiceName": "AIGC Engine Compute",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"gpu.{sku.slug}",
        "SkuMeter": "GPU Running Time",
        "SkuPriceId": f"gpu.{sku.slug}/on-demand",
        "SkuPriceDetails": pairs({"GpuCount": sku.gpu_count or 0, "x_GpuMemoryMiB": sku.gpu_memory_mib}),
        "x_GpuClass": sku.slug,
    }


def _storage(usage: Usage, issuer: Issuer) -> dict[str, str]:
    sku = usage.sku
    return {
        "ChargeDescription": f"Workspace volume of storage class {sku.name}",
        "ResourceId": issuer.urn("volume", usage.resource_id),
        "ResourceType": "Persistent Volume",
        "ServiceName": "AIGC Workspace Storage",
        "ServiceCategory": "Storage",
        "ServiceSubcategory": "Block Storage",
        "SkuId": f"storage.{sku.slug}",
        "SkuMeter": "Workspace Volume Capacity",
        "SkuPriceId": f"storage.{sku.slug}/on-demand",
        "SkuPriceDetails": pairs({"x_StorageClass": sku.name}),
    }


_OTHER_SERVICE = {
    "ServiceName": "AIGC Billing",
    "ServiceCategory": "Other",
    "ServiceSubcategory": "Other (Other)",
}


def _own(line: BookLine) -> dict[str, str]:
    return {
        "x_ChargeKey": line.key,
        "x_CorrectionOf": line.taken_back,
        "x_Kind": line.kind,
        "x_LedgerSeq": str(line.number),
        "x_LineKey": str(line.line_key),
    }


def _amount(amount: Decimal) -> str:
    return f"{amount:.{PLACES}f}"
