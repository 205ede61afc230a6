"""`manage.py seed_demo`: the demo's people, studios and prices, beside the catalog that is loaded."""

import argparse
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from aigc_portal.demo_accounts import DEMO_ACCOUNTS, DEMO_PASSWORD
from billing.budgets.demo import make_budgets
from billing.demo_history import make_history
from billing.errors import PriceRefused
from billing.pricing import seed_prices
from engines.catalog_file import CatalogError
from engines.operations.catalog import load_files
from tenants.models import Membership, Role, Tenant, User

TENANTS = {"acme": "Acme Studio", "bolt": "Bolt Pictures"}
MEMBERSHIPS = {"alice": ("acme", Role.MEMBER), "anna": ("acme", Role.OWNER), "bob": ("bolt", Role.OWNER)}
OPERATORS = {"olga"}


class Command(BaseCommand):
    help = "Create the demo's people, studios and prices. May be repeated: it adds what is missing and changes nothing else."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="also on a portal that is not on localhost")
        parser.add_argument("--history", action="store_true", help="give acme a year of use and budgets, unless it has any")
        parser.add_argument(
            "--catalog",
            nargs="*",
            type=Path,
            default=[settings.BASE_DIR / "catalog" / "demo.yaml"],
            metavar="FILE",
            help="catalog files to load first, whose prices become the first list prices",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host = settings.PORTAL_HOST.partition(":")[0]
        if not options["force"] and host != "localhost" and not host.endswith(".localhost"):
            raise CommandError(
                f"Everybody knows the demo's passwords, and {settings.PORTAL_ORIGIN} is not on localhost. "
                "Use --force if nobody else can reach this portal."
            )
        try:
            with transaction.atomic():
                seed(options["catalog"])
                if options["history"]:
                    acme = Tenant.objects.get(slug="acme")
                    make_history(acme, now=timezone.now())
                    make_budgets(acme, now=timezone.now())
        except (CatalogError, PriceRefused) as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] > 0:
            for account in DEMO_ACCOUNTS:
                self.stdout.write(f"{account.username.ljust(7)} {account.role}")
            self.stdout.write(f"Everybody's password: {DEMO_PASSWORD}")


def seed(catalog: list[Path]) -> None:
    """Add what is missing: tenants, people, memberships, first prices. An existing account keeps its password and rights."""
    tenants = {slug: Tenant.objects.get_or_create(slug=slug, defaults={"name": name})[0] for slug, name in TENANTS.items()}
    for account in DEMO_ACCOUNTS:
        user = _person(account.username)
        if account.username in MEMBERSHIPS:
            slug, role = MEMBERSHIPS[account.username]
            Membership.objects.get_or_create(user=user, tenant=tenants[slug], defaults={"role": role})
    if catalog:
        loaded = load_files(catalog).priced
        foreign = {each.currency for each in loaded if each.currency != settings.DEFAULT_CURRENCY}
        if foreign:
            raise PriceRefused(f"The catalog's prices are in {foreign.pop()}, but AIGC_CURRENCY is {settings.DEFAULT_CURRENCY}.")
        priced = {each.slug: each.price_per_hour for each in loaded if each.price_per_hour is not None}
        # The whole day is priced, so that nothing used today is free.
        seed_prices(priced, starts_at=timezone.now().replace(hour=0, minute=0, second=0, microsecond=0))


def _person(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is not None:
        return found
    operator = username in OPERATORS
    user = User(username=username, email=f"{username}@example.org", is_staff=operator, is_superuser=operator)
    user.set_password(DEMO_PASSWORD)
    user.save()
    return user
