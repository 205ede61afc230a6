"""FOCUS rows as PostgreSQL writes them from the books: cell by cell what `rows.focus_row` says, at a hundred times its speed.

The expressions are over the tables of `exports.snapshots.SOURCES`. Null is NULL, which COPY writes as the empty cell.
"""

from collections.abc import Callable, Mapping

from billing.focus.columns import NAMES, Version
from billing.focus.rows import QUANTITY_PLACES, Issuer
from billing.models import Charge

Quoted = Callable[[object], str]
"""Writes a value as SQL."""

UNNAMED = "default"
"""What a storage class without a name is called: the cluster's own choice."""

_IS_USAGE = "charge.category IN ('gpu', 'storage')"
# So many decimals that the division's own rounding never shows.
_HOURS = f"trim_scale(round(charge.seconds::numeric * charge.quantity_milli / {3_600_000:.24f}, {QUANTITY_PLACES}))"
_SECONDS = "trim_scale(charge.seconds::numeric * charge.quantity_milli * 0.001)"
_STORAGE_CLASS = f"coalesce(nullif(charge.storage_class, ''), '{UNNAMED}')"
_KEY = "charge.line_key || '/' || {revision} || {tail}"


def projection(version: Version, issuer: Issuer, quoted: Quoted) -> str:
    """Return the columns of a SELECT, in the order of `columns.NAMES`."""
    cells = _cells(issuer, quoted)
    return ", ".join(f'{cells.get(name, "NULL")} AS "{name}"' for name in NAMES[version])


def issuer_of(*, host: str, name: str) -> Issuer:
    """Return who sends the bill; a port is no part of a name that lasts."""
    return Issuer(host.partition(":")[0], name)


def _cells(issuer: Issuer, quoted: Quoted) -> Mapping[str, str]:
    def urn(kind: str, column: str) -> str:
        return f"{quoted(issuer.urn(kind, ''))} || {column}"

    name = quoted(issuer.name)
    return {**_who(urn, name), **_what(), **_COSTS, **_measured(urn), **_own()}


def _who(urn: Callable[[str, str], str], name: str) -> dict[str, str]:
    return {
        "BillingAccountId": urn("tenant", "charge.tenant_id"),
        "BillingAccountName": "nullif(period.tenant, '')",
        "BillingAccountType": "'Tenant'",
        "InvoiceId": "period.invoice",
        "InvoiceIssuerName": name,
        "ProviderName": name,
        "PublisherName": name,
        "ServiceProviderName": name,
        "SubAccountId": urn("user", "charge.owner_id"),
        "SubAccountName": "owner.username",
        "SubAccountType": "CASE WHEN charge.owner_id IS NOT NULL THEN 'User' END",
    }


def _what() -> dict[str, str]:
    return {
        "BillingPeriodStart": "period.starts",
        "BillingPeriodEnd": "period.ends",
        "ChargePeriodStart": _moment("charge.starts_at"),
        "ChargePeriodEnd": _moment("charge.ends_at"),
        "ChargeCategory": f"CASE WHEN {_IS_USAGE} THEN 'Usage' ELSE initcap(charge.category) END",
        "ChargeClass": "CASE WHEN charge.is_correction THEN 'Correction' END",
        "ChargeFrequency": f"CASE WHEN {_IS_USAGE} THEN 'Usage-Based' ELSE 'One-Time' END",
        "Tags": """CASE WHEN charge.tag <> '' THEN '{"project":' || to_json(charge.tag) || '}' END""",
    }


_COSTS = {
    "BillingCurrency": "charge.currency",
    "PricingCurrency": "charge.currency",
    "BilledCost": "charge.amount",
    "ContractedCost": "charge.amount",
    "EffectiveCost": "charge.amount",
    "ListCost": "charge.list_amount",
    "PricingCurrencyEffectiveCost": "charge.amount",
}


def _measured(urn: Callable[[str, str], str]) -> dict[str, str]:
    """What only rows of usage have, and what the others have in its place."""
    memory = "',\"x_GpuMemoryMiB\":' || gpu_class.memory_mib || '}'"
    return {
        "ConsumedQuantity": _of_usage(_SECONDS),
        "ConsumedUnit": _by_kind("'GPU-Seconds'", "'GiB-Seconds'"),
        "PricingQuantity": _of_usage(_HOURS),
        "PricingUnit": _by_kind("'GPU-Hours'", "'GiB-Hours'"),
        "PricingCategory": _of_usage("'Standard'"),
        "ListUnitPrice": "charge.list_per_hour",
        "ContractedUnitPrice": "charge.per_hour",
        "PricingCurrencyListUnitPrice": "charge.list_per_hour",
        "PricingCurrencyContractedUnitPrice": "charge.per_hour",
        "ResourceName": _of_usage("nullif(charge.resource_name, '')"),
        "ChargeDescription": _by_kind(
            "'GPU ' || gpu_class.name || ': running time'",
            f"'Workspace volume of storage class ' || {_STORAGE_CLASS}",
            "nullif(charge.reason, '')",
        ),
        "ResourceId": _by_kind(urn("instance", "charge.instance_id"), urn("volume", "charge.volume_id")),
        "ResourceType": _by_kind("'AIGC Engine Instance'", "'Persistent Volume'"),
        "ServiceName": _by_kind("'AIGC Engine Compute'", "'AIGC Workspace Storage'", "'AIGC Billing'"),
        "ServiceCategory": _by_kind("'AI and Machine Learning'", "'Storage'", "'Other'"),
        "ServiceSubcategory": _by_kind("'Generative AI'", "'Block Storage'", "'Other (Other)'"),
        "SkuId": _by_kind("'gpu.' || gpu_class.slug", f"'storage.' || {_STORAGE_CLASS}"),
        "SkuMeter": _by_kind("'GPU Running Time'", "'Workspace Volume Capacity'"),
        "SkuPriceId": _by_kind("'gpu.' || gpu_class.slug || '/on-demand'", f"'storage.' || {_STORAGE_CLASS} || '/on-demand'"),
        "SkuPriceDetails": _by_kind(
            f"""'{{"GpuCount":' || gpu_class.count || {memory}""",
            f"""'{{"x_StorageClass":' || to_json({_STORAGE_CLASS}) || '}}'""",
        ),
        "x_GpuClass": "gpu_class.slug",
    }


def _own() -> dict[str, str]:
    is_reversal = f"charge.kind = '{Charge.Kind.REVERSAL}'"
    key = _KEY.format(revision="charge.revision", tail=f"CASE WHEN {is_reversal} THEN '/reversal' ELSE '' END")
    taken_back = _KEY.format(revision="charge.revision - 1", tail="''").replace("charge.revision - 1", "(charge.revision - 1)")
    return {
        "x_ChargeKey": key,
        "x_CorrectionOf": f"CASE WHEN {is_reversal} THEN {taken_back} END",
        "x_Kind": "charge.kind",
        "x_LedgerSeq": "charge.id",
        "x_LineKey": "charge.line_key",
        "x_PriceVersionId": "charge.price_id",
        "x_RunId": "nullif(charge.run_id, '')",
    }


def _moment(column: str) -> str:
    return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _of_usage(value: str) -> str:
    return f"CASE WHEN {_IS_USAGE} THEN {value} END"


def _by_kind(gpu: str, storage: str, other: str = "NULL") -> str:
    return f"CASE charge.category WHEN 'gpu' THEN {gpu} WHEN 'storage' THEN {storage} ELSE {other} END"
