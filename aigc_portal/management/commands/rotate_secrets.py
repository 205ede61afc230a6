"""`manage.py rotate_secrets`: encrypt stored credentials with the newest key, so that older keys can be taken away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aigc_portal.resealing import reseal_everything


class Command(BaseCommand):
    help = "Encrypt every stored secret anew with the first key of AIGC_ENCRYPTION_KEYS. May be stopped, and repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        outcome = reseal_everything()
        self.stdout.write(f"encrypted anew: {outcome.resealed}, already with the newest key: {outcome.current}")
        if outcome.unreadable:
            rows = "\n".join(f"  {row}" for row in outcome.unreadable)
            raise CommandError(
                f"No key of AIGC_ENCRYPTION_KEYS opens {len(outcome.unreadable)} of the stored secrets, which were left as they "
                f"are:\n{rows}\nAdd the key that sealed them and run this again, or store those secrets anew."
            )
        self.stdout.write(self.style.SUCCESS("Every stored secret needs the first key alone. Older keys can be taken away."))
