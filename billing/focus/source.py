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

IS_USAGE = "charge.category IN ('gpu', 'storage')"
_MILLI_SECONDS = "charge.seconds::bigint * charge.quantity_milli"
_SECONDS = f"trim_scale(({_MILLI_SECONDS})::numeric * 0.001)"
# So many decimals that the division's own rounding never shows.
_HOURS = f"trim_scale(round(({_MILLI_SECONDS})::numeric / {3_600_000:.24f}, {QUANTITY_PLACES}))"
_STORAGE_CLASS = f"coalesce(nullif(charge.storage_class, ''), '{UNNAMED}')"
_KEY = "charge.line_key || '/' || {revision} || {tail}"


def projection(version: Version, issuer: Issuer, tenant_id: int, quoted: Quoted) -> str:
    """Return the columns of a SELECT from the sources and `kinds`, in the order of `columns.NAMES`; all are one tenant's."""
    cells = {**_cells(issuer, tenant_id, quoted), **{name: f'kind."{name}"' for name in _of_kind()}}
    return ", ".join(f'{cells.get(name, "NULL")} AS "{name}"' for name in NAMES[version])


def kinds() -> str:
    """Return what is joined to the sources: all that rows of one kind say alike.

    It depends on no more than the kind, so that PostgreSQL keeps it (Memoize): working it out for each row takes as long as
    reading the row.
    """
    columns = ", ".join(f'{sql} AS "{name}"' for name, sql in _of_kind().items())
    return f"""LEFT JOIN LATERAL (
        SELECT {columns}
        FROM (SELECT 1) AS one LEFT JOIN engines_gpuclass AS gpu_class ON gpu_class.id = charge.gpu_class_id
        OFFSET 0
    ) AS kind ON true"""  # noqa: S608 - ours


def moment(column: str) -> str:
    """Return SQL that writes a moment as FOCUS and all our files do; the session's time zone is UTC."""
    return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def issuer_of(*, host: str, name: str) -> Issuer:
    """Return who sends the bill; a port is no part of a name that lasts."""
    return Issuer(host.partition(":")[0], name)


def _cells(issuer: Issuer, tenant_id: int, quoted: Quoted) -> Mapping[str, str]:
    def urn(kind: str, column: str) -> str:
        return f"{quoted(issuer.urn(kind, ''))} || {column}"

    name = quoted(issuer.name)
    account = {"BillingAccountId": quoted(issuer.urn("tenant", tenant_id))}
    return {**account, **_who(urn, name), **_what(), **_COSTS, **_measured(urn), **_own()}


def _who(urn: Callable[[str, str], str], name: str) -> dict[str, str]:
    return {
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
        "ChargePeriodStart": moment("charge.starts_at"),
        "ChargePeriodEnd": moment("charge.ends_at"),
        "ChargeClass": "CASE WHEN charge.is_correction THEN 'Correction' END",
        "ChargeDescription": "coalesce(kind.use, nullif(charge.reason, ''))",
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
    return {
        "ConsumedQuantity": _quantity(1_000, _SECONDS),
        "PricingQuantity": _quantity(3_600_000, _HOURS),
        "ListUnitPrice": "charge.list_per_hour",
        "ContractedUnitPrice": "charge.per_hour",
        "PricingCurrencyListUnitPrice": "charge.list_per_hour",
        "PricingCurrencyContractedUnitPrice": "charge.per_hour",
        "ResourceName": "CASE WHEN kind.is_used THEN nullif(charge.resource_name, '') END",
        "ResourceId": _by_kind(urn("instance", "charge.instance_id"), urn("volume", "charge.volume_id")),
    }


def _of_kind() -> dict[str, str]:
    """What the category, the GPU class and the storage class decide alone: cells, and whether and what was used, in words."""
    memory = "',\"x_GpuMemoryMiB\":' || gpu_class.memory_mib || '}'"
    return {
        "ChargeCategory": f"CASE WHEN {IS_USAGE} THEN 'Usage' ELSE initcap(charge.category) END",
        "ChargeFrequency": f"CASE WHEN {IS_USAGE} THEN 'Usage-Based' ELSE 'One-Time' END",
        "ConsumedUnit": _by_kind("'GPU-Seconds'", "'GiB-Seconds'"),
        "PricingUnit": _by_kind("'GPU-Hours'", "'GiB-Hours'"),
        "PricingCategory": _by_kind("'Standard'", "'Standard'"),
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
        "is_used": IS_USAGE,
        "use": _by_kind(
            "'GPU ' || gpu_class.name || ': running time'", f"'Workspace volume of storage class ' || {_STORAGE_CLASS}"
        ),
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


def _quantity(divisor: int, otherwise: str) -> str:
    """Divide whole numbers where that is exact, as for most rows: they take a third of the time."""
    return f"""CASE WHEN NOT kind.is_used THEN NULL WHEN {_MILLI_SECONDS} % {divisor} = 0
        THEN ({_MILLI_SECONDS} / {divisor})::text ELSE {otherwise}::text END"""


def _by_kind(gpu: str, storage: str, other: str = "NULL") -> str:
    return f"CASE charge.category WHEN 'gpu' THEN {gpu} WHEN 'storage' THEN {storage} ELSE {other} END"
