"""`manage.py rotate_secrets`: encrypt stored credentials with the newest key, so that older keys can be taken away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from aigc_portal.sealing import Unreadable
from engines.operations import clusters
from tenants.notifications import endpoints
from tenants.sign_in import factor_adapter, tokens_at_rest

RESEALS = (
    clusters.reseal_secrets,
    endpoints.reseal_secrets,
    factor_adapter.reseal_secrets,
    tokens_at_rest.reseal_secrets,
)


class Command(BaseCommand):
    help = "Encrypt the stored secrets anew with the first key of AIGC_ENCRYPTION_KEYS. May be repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                number = sum(reseal() for reseal in RESEALS)
        except Unreadable as error:
            raise CommandError(f"{error}. Nothing was changed.") from error
        self.stdout.write(self.style.SUCCESS(f"encrypted anew: {number}"))
