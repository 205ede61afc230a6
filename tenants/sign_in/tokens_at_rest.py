"""Provider tokens in the database."""

from django.db import transaction

from aigc_portal.sealing import reseal
from tenants.sign_in.models import ProviderSession

_SEALED = ("sealed_id_token", "sealed_refresh_token")


@transaction.atomic
def reseal_secrets() -> int:
    """Seal all tokens anew with the first key; return how many. Raises sealing.Unreadable."""
    number = 0
    for row in ProviderSession.objects.select_for_update():
        for name in _SEALED:
            sealed = getattr(row, name)
            if sealed:
                setattr(row, name, reseal(sealed))
                number += 1
        row.save(update_fields=_SEALED)
    return number
