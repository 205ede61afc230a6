"""`manage.py load_catalog FILE...`: bring the catalog up to date with files, all or nothing."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from engines.catalog_file import CatalogError
from engines.operations.catalog import load_files


class Command(BaseCommand):
    help = "Load engines, GPU classes and clusters from YAML catalog files. May be repeated; prices are billing's and not set."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            summary = load_files(options["files"])
        except CatalogError as error:
            raise CommandError(f"{error}\nNothing was loaded.") from error
        if options["verbosity"] > 1:
            for label in summary.created:
                self.stdout.write(f"created {label}")
            for label in summary.changed:
                self.stdout.write(f"changed {label}")
        self.stdout.write(self.style.SUCCESS(str(summary)))
