"""Accounts, their terms, and the months that stand in the books."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from billing.calendars import Calendar, PeriodSpan, Terms, by_time
from billing.errors import TermsRefused
from billing.models import BillingAccount, BillingPeriod, BillingTerms
from billing.periods import Month
from tenants.models import Tenant, User

Calendars = dict[int, Calendar]


def calendars_of(tenant_ids: Collection[int]) -> Calendars:
    """Return the calendars of these tenants by their ids. One query, two more the first time for a tenant that is new."""
    terms = _terms(tenant_ids)
    unknown = set(tenant_ids) - terms.keys()
    if unknown:
        open_accounts(unknown)
        terms |= _terms(unknown)
    return {tenant_id: Calendar(by_time(own)) for tenant_id, own in terms.items()}


def calendar_of(tenant: Tenant) -> Calendar:
    """Return one tenant's calendar; reads alone, so that pages may ask."""
    return reading_calendars([tenant.pk])[tenant.pk]


def reading_calendars(tenant_ids: Collection[int]) -> Calendars:
    """Return calendars without opening accounts: what is not there yet would begin with the defaults. One query."""
    terms = _terms(tenant_ids)
    default = Calendar.of("UTC", settings.DEFAULT_CURRENCY)
    return {pk: Calendar(by_time(terms[pk])) if pk in terms else default for pk in tenant_ids}


def _terms(tenant_ids: Collection[int]) -> dict[int, list[Terms]]:
    found: dict[int, list[Terms]] = defaultdict(list)
    for row in BillingTerms.objects.filter(account_id__in=tenant_ids).order_by():
        found[row.account_id].append(Terms(row.starts_at, row.time_zone, row.currency))
    return dict(found)


def open_accounts(tenant_ids: Collection[int]) -> None:
    """Give tenants that have none their accounts, with the terms of the installation."""
    ordered = sorted(tenant_ids)
    BillingAccount.objects.bulk_create([BillingAccount(tenant_id=pk) for pk in ordered], ignore_conflicts=True)
    first = [BillingTerms(account_id=pk, time_zone="UTC", currency=settings.DEFAULT_CURRENCY) for pk in ordered]
    BillingTerms.objects.bulk_create(first, ignore_conflicts=True)


def lock_accounts(tenant_ids: Collection[int]) -> list[BillingAccount]:
    """Wait for whoever changes the sums or terms of these tenants, and hold off others until the transaction ends."""
    rows = BillingAccount.objects.select_for_update(no_key=True).filter(pk__in=tenant_ids)
    return list(rows.order_by("pk"))


def posted_to(tenant_id: int) -> datetime | None:
    """Return when charges were last posted for the tenant, or None. As of that moment the books read the same for ever."""
    return BillingAccount.objects.filter(pk=tenant_id).values_list("posted_to", flat=True).first()


@transaction.atomic
def set_terms(*, tenant: Tenant, now: datetime, time_zone: str | None = None, currency: str | None = None) -> BillingTerms:
    """Let the account's days be those of another zone, or its prices those in another currency: from its next month on.

    An account in whose name nothing was ever charged takes the terms as if they had always been its own. Asking again before
    the next month begins replaces what was asked. Raises TermsRefused.
    """
    open_accounts([tenant.pk])
    lock_accounts([tenant.pk])
    calendar = calendars_of([tenant.pk])[tenant.pk]
    present = calendar.period_at(now)
    zone, code = time_zone or present.time_zone, currency or present.currency
    _require_sensible(zone, code)
    later = BillingTerms.objects.filter(account_id=tenant.pk, starts_at__gt=now)
    later.delete()
    if not BillingPeriod.objects.filter(tenant=tenant).exists():
        BillingTerms.objects.filter(account_id=tenant.pk).delete()
        return BillingTerms.objects.create(account_id=tenant.pk, time_zone=zone, currency=code)
    if BillingPeriod.objects.filter(tenant=tenant, starts_at__gte=present.ends_at).exists():
        raise TermsRefused(_("The next month is in the books already."))
    if (zone, code) == (present.time_zone, present.currency):
        return BillingTerms.objects.filter(account_id=tenant.pk).latest("starts_at")
    return BillingTerms.objects.create(account_id=tenant.pk, starts_at=present.ends_at, time_zone=zone, currency=code)


@transaction.atomic
def set_budget_owner(*, tenant: Tenant, person: User | None) -> None:
    """Say who answers for what the tenant spends."""
    open_accounts([tenant.pk])
    BillingAccount.objects.filter(pk=tenant.pk).update(budget_owner=person)


def _require_sensible(zone: str, currency: str) -> None:
    if zone not in available_timezones():
        raise TermsRefused(_("There is no time zone “%(zone)s”.") % {"zone": zone})
    ZoneInfo(zone)
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise TermsRefused(_("A currency is three capital letters, such as EUR."))


class Periods:
    """The months of some tenants that are in the books; makes those that are missing. For one transaction."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars
        self._known: dict[tuple[int, Month], BillingPeriod] = {}

    def load(self, months: Collection[tuple[int, Month]]) -> None:
        """Read these months of these tenants, and what follows, making those that are missing. Two queries at most."""
        missing = {pair for pair in months if pair not in self._known}
        if not missing:
            return
        self._read(missing)
        absent = sorted(missing - self._known.keys())
        if absent:
            made = [_row(pk, self._calendars[pk].period(month)) for pk, month in absent]
            BillingPeriod.objects.bulk_create(made, ignore_conflicts=True)
            self._read(set(absent))

    def _read(self, months: set[tuple[int, Month]]) -> None:
        first = min(month for _pk, month in months).first_day
        rows = BillingPeriod.objects.filter(tenant_id__in={pk for pk, _month in months}, month__gte=first).order_by()
        self._known |= {(row.tenant_id, Month.of(row.month)): row for row in rows}

    def of(self, tenant_id: int, month: Month) -> BillingPeriod:
        """Return the row of this month."""
        if (tenant_id, month) not in self._known:
            self.load([(tenant_id, month)])
        return self._known[tenant_id, month]

    def posting(self, tenant_id: int, month: Month) -> tuple[BillingPeriod, bool]:
        """Return where a charge of this month is posted: there, or in the first open month after; whether that corrects it."""
        own = period = self.of(tenant_id, month)
        while period.is_closed:
            month = month.following
            period = self.of(tenant_id, month)
        return period, period is not own


def _row(tenant_id: int, span: PeriodSpan) -> BillingPeriod:
    return BillingPeriod(
        tenant_id=tenant_id,
        month=span.month.first_day,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        time_zone=span.time_zone,
        currency=span.currency,
    )
