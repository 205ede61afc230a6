"""`manage.py demo`: the whole product on this machine, in the foreground."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from honcho.printer import Printer

from aigc_portal.demo import run_demo
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.supervisor import StartFailed


class Command(BaseCommand):
    help = "Set up the database and run every process of the product until Ctrl-C. `make demo` sets the variables."
    requires_system_checks = []  # they may ask the database, which is not up yet

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run_demo(Printer(sys.stdout))
        except (EmbeddedError, StartFailed) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped before it was ready.")
