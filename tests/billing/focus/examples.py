"""Lines of books as files have to tell them: a month in Shanghai with everything that can happen in one."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.focus.columns import NAMES, Version
from billing.focus.rows import BookLine, Issuer, Period, Sku, Usage, focus_row
from billing.focus.vocabulary import ChargeCategory
from billing.rating import amount_of

ISSUER = Issuer("portal.example.com", "AIGC Portal")
MARCH = Period(datetime(2026, 2, 28, 16, tzinfo=UTC), datetime(2026, 3, 31, 16, tzinfo=UTC), "acme-2026-03")
APRIL = Period(MARCH.ends_at, datetime(2026, 4, 30, 16, tzinfo=UTC), "acme-2026-04")
NOON = datetime(2026, 3, 14, 4, tzinfo=UTC)
H100 = Sku("h100-80g", "H100 80GB", gpu_count=1, gpu_memory_mib=81920)
DISK = Sku("ssd", "ssd")
INSTANCE = UUID(int=0xA)
VOLUME = UUID(int=0xB)


def gpu_usage(seconds: int = 3600, *, per_hour: str = "2.5", list_per_hour: str = "2.8", quantity_milli: int = 1000) -> Usage:
    prices = {"per_hour": Decimal(per_hour), "list_per_hour": Decimal(list_per_hour)}
    return Usage(
        H100, seconds, quantity_milli, **prices, resource_id=INSTANCE, resource_name="poster", price_id=7, run_id="run-1"
    )


def storage_usage(gib: int = 40) -> Usage:
    prices = {"per_hour": Decimal("0.000136986"), "list_per_hour": Decimal("0.000136986")}
    return Usage(DISK, 86400, gib * 1000, **prices, resource_id=VOLUME, resource_name="poster data", price_id=8)


def line(number: int, usage: Usage, **fields: object) -> BookLine:
    """An original line of usage, of as many seconds as it measures, in March."""
    span = timedelta(seconds=abs(usage.seconds))
    starts_at = fields.pop("starts_at", NOON)
    defaults = {
        "number": number,
        "line_key": UUID(int=number),
        "revision": 0,
        "kind": "original",
        "category": ChargeCategory.USAGE,
        "tenant_id": 3,
        "tenant_name": "Acme",
        "owner_id": 5,
        "owner_name": "alice",
        "period": MARCH,
        "is_correction": False,
        "starts_at": starts_at,
        "ends_at": starts_at + span,
        "currency": "USD",
        "amount": amount_of(usage.per_hour, usage.seconds, usage.quantity_milli),
        "list_amount": amount_of(usage.list_per_hour, usage.seconds, usage.quantity_milli),
    }
    return BookLine(usage=usage, **defaults | fields)


def entry(number: int, category: ChargeCategory, amount: str, reason: str) -> BookLine:
    """What somebody entered."""
    told = {"category": category, "amount": Decimal(amount), "list_amount": Decimal(amount), "reason": reason, "usage": None}
    return replace(line(number, gpu_usage()), owner_id=None, owner_name="", ends_at=MARCH.ends_at, **told)


def reversal(of: BookLine, number: int, **fields: object) -> BookLine:
    usage = replace(of.usage, seconds=-of.usage.seconds)
    taken = {"amount": -of.amount, "list_amount": -of.list_amount, "usage": usage}
    return replace(of, number=number, kind="reversal", revision=of.revision + 1, **taken | fields)


def month() -> list[BookLine]:
    """Whole and part of an hour, a shared GPU, another price, storage, a tag; credit, tax, rounding; a correction in April."""
    hours = [line(n, gpu_usage(), starts_at=NOON + timedelta(hours=n)) for n in range(1, 4)]
    odd = line(4, gpu_usage(2643), tag="spring campaign")
    shared = line(5, gpu_usage(1199, quantity_milli=250))
    dearer = line(6, gpu_usage(1, per_hour="2.70", list_per_hour="2.70"))
    disk = line(7, storage_usage(), starts_at=NOON - timedelta(hours=12))
    taken_back = reversal(hours[0], 8)
    replaced = line(9, gpu_usage(1800), line_key=hours[0].line_key, revision=1, kind="replacement")
    late = {"period": APRIL, "is_correction": True}
    corrected = reversal(replaced, 10, **late)
    last_word = line(11, gpu_usage(1801), line_key=hours[0].line_key, revision=2, kind="replacement", **late)
    others = [
        entry(12, ChargeCategory.CREDIT, "-5", "Outage on 12 March"),
        entry(13, ChargeCategory.TAX, "1.234567891", "VAT"),
        entry(14, ChargeCategory.ADJUSTMENT, "0.003", "Rounding"),
    ]
    return [*hours, odd, shared, dearer, disk, taken_back, replaced, corrected, last_word, *others]


def cells(lines: list[BookLine], version: Version) -> list[list[str]]:
    """The rows as whoever reads the CSV file gets them."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(focus_row(each, ISSUER, version) for each in lines)
    return list(csv.reader(io.StringIO(text.getvalue(), newline="")))


def as_dicts(lines: list[BookLine], version: Version) -> list[dict[str, str]]:
    return [dict(zip(NAMES[version], row, strict=True)) for row in cells(lines, version)]
