"""Books without a database: facts, prices and charges in lists, put together by the product's own pure modules."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from billing.models import BillingPeriod, Charge
from tests.billing.facts import BEGINNING

INSTANCE, VOLUME = uuid.UUID(int=1), uuid.UUID(int=2)


class Books:
    """One instance and one volume of one tenant, settled from their beginnings each time."""

    def __init__(self, library: SimpleNamespace, zone: str, prices: Iterable[dict[str, Any]]) -> None:
        self.pure = library
        self.calendar = library.calendars.Calendar.of(zone, "USD")
        self.prices = [self._price(**fields) for fields in prices]
        self.facts: list[Any] = []
        self.volume_facts: list[Any] = []
        self.handovers: list[Any] = []
        self.tag_changes: list[Any] = []
        self.rows: list[Charge] = []
        self.closed: set[Any] = set()
        self._periods: dict[Any, BillingPeriod] = {}

    def _price(self, **fields: Any) -> Any:
        defaults = {"gpu_class_id": 1, "tenant_id": None, "currency": "USD", "ends_at": None, "starts_at": BEGINNING}
        fields["per_hour"] = Decimal(fields["per_hour"])
        return self.pure.pricebook.PriceSpan(**defaults | fields)

    def note(self, kind: str, at: datetime, **fields: Any) -> None:
        """Write a fact about the instance."""
        defaults = {"run_id": "run", "source": "cluster", "observed_at": at, "tenant_id": 1, "owner_id": 1, "gpu_class_id": 1}
        self.facts.append(self.pure.metering.Fact(kind=kind, at=at, **defaults | fields))

    def note_volume(self, kind: str, at: datetime, **fields: Any) -> None:
        """Write a fact about the volume."""
        defaults = {"source": "portal", "observed_at": at, "tenant_id": 1, "owner_id": 1, "size_gib": 100}
        self.volume_facts.append(self.pure.storage.VolumeFact(kind=kind, at=at, **defaults | fields))

    def settle(self, now: datetime, *, until: datetime | None = None) -> int:
        """Post what is missing; what lasts is charged up to `until`, or the last full hour of `now`."""
        metered = self.pure.metering.meter(
            self.facts,
            holds_gpu=True,
            bill_from=self.pure.metering.BillFrom.READY,
            handovers=self.handovers,
            tag_changes=self.tag_changes,
        )
        hour = until or now.replace(minute=0, second=0, microsecond=0)
        posted = self._post(INSTANCE, metered.usage, hour, now, is_volume=False)
        stored = self.pure.storage.meter_volume(self.volume_facts)
        return posted + self._post(VOLUME, stored, self.calendar.day_start(until or now), now, is_volume=True)

    def _post(self, subject_id: uuid.UUID, usage: Iterable[Any], lasting_to: datetime, now: datetime, *, is_volume: bool) -> int:
        book = self.pure.pricebook.PriceBook(self.prices)
        cells = (
            cell
            for piece in usage
            for cell in self.pure.rating.cells(piece, book, self.calendar, since=BEGINNING, until=piece.ends_at or lasting_to)
        )
        desired = self.pure.rating.lines(subject_id, cells, self.calendar)
        history = [row for row in self.rows if (row.volume_id or row.instance_id) == subject_id]
        subject = self.pure.ledger.Subject(subject_id, "poster", is_volume=is_volume)
        rows = self.pure.ledger.missing_rows(desired, history, subject=subject, posting=self._posting, now=now)
        self.rows += rows
        return len(rows)

    def close(self, month: Any) -> str:
        """Close the month and return its digest."""
        self.closed.add(month)
        return self.digest(month)

    def digest(self, month: Any) -> str:
        fields = self.pure.digests.FIELDS
        rows = sorted(self.posted_in(month), key=lambda row: (str(row.line_key), row.revision, row.kind))
        return self.pure.digests.chain("", [tuple(getattr(row, name) for name in fields) for row in rows])

    def posted_in(self, month: Any) -> list[Charge]:
        return [row for row in self.rows if row.period_id == self._period(month).pk]

    def _period(self, month: Any) -> BillingPeriod:
        number = month.year * 12 + month.number
        return self._periods.setdefault(number, BillingPeriod(pk=number, month=month.first_day))

    def _posting(self, tenant_id: int, month: Any) -> tuple[BillingPeriod, bool]:
        own = month
        while month in self.closed:
            month = month.following
        return self._period(month), month != own

    def standing(self) -> list[Charge]:
        """What the books say once reversals are taken off, by time."""
        last: dict[uuid.UUID, Charge] = {}
        for row in self.rows:
            if row.kind == "reversal":
                del last[row.line_key]
            else:
                assert row.line_key not in last
                last[row.line_key] = row
        return sorted(last.values(), key=lambda row: (row.starts_at, row.quantity_milli))

    def net(self) -> dict[uuid.UUID, tuple[int, Decimal, Decimal]]:
        """Seconds, amount and list amount of each line that is not nothing."""
        sums: dict[uuid.UUID, list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
        for row in self.rows:
            for place, value in enumerate((row.seconds, row.amount, row.list_amount)):
                sums[row.line_key][place] += value
        return {key: tuple(values) for key, values in sums.items() if values[0]}  # type: ignore[misc]
