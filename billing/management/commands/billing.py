"""`manage.py billing settle | verify | rebuild | close | explain | lint-focus | quarantine | decide`: the books by commands."""

import argparse
import csv
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import auditing, closing, explaining, operations, quarantine
from billing.errors import ClosingRefused, DecisionRefused
from billing.explaining import Explanation
from billing.focus.columns import Version
from billing.focus.lint import lint
from billing.models import BillingPeriod
from billing.periods import Month
from engines.models import RunFact
from tenants.models import Tenant

FINDINGS = 1000
"""So many things that are wrong with a file are told, and no more."""


class Command(BaseCommand):
    help = "Settle what is due, verify the books, make sums anew, close months, explain charges, decide about facts in doubt."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        commands.add_parser("settle", help="post what facts and prices say and the books do not")
        verify = commands.add_parser("verify", help="check sums, amounts and seals; exit code 1 if anything is wrong")
        rebuild = commands.add_parser("rebuild", help="make all sums anew, and have usage worked out anew from its facts")
        close = commands.add_parser("close", help="close months for ever; without --month all whose time has come")
        for each in (verify, rebuild, close):
            each.add_argument("--tenant", type=_tenant, metavar="SLUG", help="of one tenant only")
        for each in (verify, close):
            each.add_argument("--month", type=_month, metavar="YYYY-MM", help="of one month only")
        explain = commands.add_parser("explain", help="say why a charge is what it is")
        explain.add_argument("line", metavar="LINE", help="number of a charge, or key of a line")
        judge = commands.add_parser("lint-focus", help="judge a FOCUS file of ours; exit code 1 if anything is wrong")
        judge.add_argument("file", type=Path, metavar="FILE")
        judge.add_argument("--focus", choices=[each.value for each in Version], default=Version.V1_4.value, help="its edition")

        doubts = commands.add_parser("quarantine", help="list the facts in doubt, which count for nothing until somebody decides")
        doubts.add_argument("--tenant", type=_tenant, metavar="SLUG", help="of one tenant only")
        decide = commands.add_parser("decide", help="say for ever whether a fact in doubt counts")
        decide.add_argument("fact", metavar="FACT", help="as the list names it, e.g. run-17")
        word = decide.add_mutually_exclusive_group(required=True)
        word.add_argument("--counts", action="store_true", help="it is true")
        word.add_argument("--does-not-count", dest="counts", action="store_false", help="it is not")
        decide.add_argument("--reason", required=True, help="why; kept for whoever audits the books")

    def handle(self, *args: Any, **options: Any) -> None:
        run: dict[str, Callable[[dict[str, Any]], None]] = {
            "settle": self._settle,
            "verify": self._verify,
            "rebuild": self._rebuild,
            "close": self._close,
            "explain": self._explain,
            "lint-focus": self._lint,
            "quarantine": self._quarantine,
            "decide": self._decide,
        }
        run[options["command"]](options)

    def _settle(self, _options: dict[str, Any]) -> None:
        self.stdout.write(f"{operations.settle_due(now=timezone.now())} rows posted.")

    def _verify(self, options: dict[str, Any]) -> None:
        month = options["month"].first_day if options["month"] else None
        found = auditing.verify(tenant=options["tenant"], month=month)
        for difference in found:
            self.stdout.write(str(difference))
        if found:
            raise CommandError(f"{len(found)} things in the books are not as they must be.")
        self.stdout.write("The books are right.")

    def _rebuild(self, options: dict[str, Any]) -> None:
        made = operations.rebuild(tenant=options["tenant"])
        self.stdout.write(f"{made} sums made anew.")
        self._settle(options)

    def _close(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        refused = 0
        for period in self._periods(options):
            try:
                closed = operations.close_period(period=period, now=now)
            except ClosingRefused as refusal:
                refused += 1
                self.stdout.write(f"{period}: {refusal}")
            else:
                self.stdout.write(f"{period}: {closed.money.exact}, {closed.charge_count} charges, {closed.digest}")
        if refused:
            raise CommandError(f"{refused} months were not closed.")

    def _periods(self, options: dict[str, Any]) -> list[BillingPeriod]:
        if options["month"] is None:
            due = closing.due_periods(now=timezone.now())
            return [period for period in due if options["tenant"] in (None, period.tenant)]
        found = BillingPeriod.objects.filter(month=options["month"].first_day).select_related("tenant")
        return list(found.filter(tenant=options["tenant"]) if options["tenant"] else found)

    def _explain(self, options: dict[str, Any]) -> None:
        charge = explaining.find(options["line"])
        if charge is None:
            raise CommandError(f"There is no charge {options['line']}.")
        for line in _told(explaining.explain(charge)):
            self.stdout.write(line)

    def _quarantine(self, options: dict[str, Any]) -> None:
        for each in quarantine.waiting(options["tenant"]):
            fact = each.fact
            subject = fact.instance if isinstance(fact, RunFact) else fact.volume
            told = f"{fact.kind} at {fact.at:%F %T}, says {fact.source}, observed {fact.observed_at:%F %T}"
            self.stdout.write(f"{each.name}: {subject.tenant.slug}, {subject.name}: {told}: {each.doubt}")

    def _decide(self, options: dict[str, Any]) -> None:
        fact = quarantine.find(options["fact"])
        if fact is None:
            raise CommandError(f"There is no fact {options['fact']}.")
        try:
            operations.decide(fact=fact, counts=options["counts"], reason=options["reason"], now=timezone.now())
        except DecisionRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._settle(options)

    def _lint(self, options: dict[str, Any]) -> None:
        with options["file"].open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, strict=True)
            found = list(islice(lint(next(rows, []), rows, Version(options["focus"])), FINDINGS))
        for each in found:
            self.stdout.write(f"row {each.row}: {each.rule}: {each.column} {each.about}")
        if found:
            raise CommandError(f"{len(found)} things are wrong." if len(found) < FINDINGS else "More than that is wrong.")
        self.stdout.write("The file is right.")


def _tenant(slug: str) -> Tenant:
    found = Tenant.objects.filter(slug=slug).first()
    if found is None:
        raise argparse.ArgumentTypeError(f"there is no tenant {slug!r}")
    return found


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _told(explanation: Explanation) -> list[str]:
    charge = explanation.charge
    what = charge.resource_name or charge.get_category_display()
    told = [
        f"{charge.pk}: {charge.get_category_display()}, {what}, {charge.starts_at:%F %T} to {charge.ends_at:%F %T} UTC",
        f"{charge.money.exact} = {explanation.formula}" if charge.per_hour is None else explanation.formula,
        f"posted {charge.posted_at:%F %T} into {charge.period.label}{', a correction' if charge.is_correction else ''}",
    ]
    told += [f"revision {row.revision} {row.kind}: {row.seconds} s, {row.money.exact}" for row in explanation.history]
    told += [
        f"usage {interval.get_kind_display()} from {interval.starts_at:%F %T}"
        + (f" to {interval.ends_at:%F %T}" if interval.ends_at else ", which lasts")
        for interval in explanation.intervals
    ]
    return told + [f"fact {fact.kind} at {fact.at:%F %T}, says {fact.source}" for fact in explanation.facts]
