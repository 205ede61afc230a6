"""`manage.py make_operator_groups`: the groups Operators and Support, with the permissions that they are meant to have."""

from typing import Any

from django.core.management.base import BaseCommand

from tenants.console.groups import make_groups


class Command(BaseCommand):
    help = "Create the groups Operators and Support, or give them their permissions anew, as after an upgrade. May be repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        for group in make_groups():
            if options["verbosity"] > 0:
                self.stdout.write(f"{group.name}: {group.permissions.count()} permissions")
