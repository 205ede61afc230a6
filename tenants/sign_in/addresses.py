"""Whose an e-mail address is known to be.

allauth keeps a row for each address that a person gave, verified or not. An account without any row was made by an operator, who
vouches for its address.
"""

from allauth.account.models import EmailAddress

from tenants.models import User


def vouch_for(user: User) -> None:
    """Take the account's present address, which an operator gave, for verified; and no other."""
    EmailAddress.objects.filter(user=user).exclude(email__iexact=user.email).delete()
    if user.email:
        found, _made = EmailAddress.objects.get_or_create(user=user, email=user.email.lower())
        is_free = not EmailAddress.objects.filter(email__iexact=user.email, verified=True).exclude(user=user).exists()
        EmailAddress.objects.filter(pk=found.pk).update(verified=is_free, primary=True)


def vouch_for_untouched(user: User) -> None:
    """The same for an account that has no row yet."""
    if user.email and not EmailAddress.objects.filter(user=user).exists():
        vouch_for(user)


def owner_of_verified(email: str) -> User | None:
    """Return the active account whose verified address this is."""
    row = EmailAddress.objects.select_related("user").filter(email__iexact=email, verified=True).first()
    if row is not None:
        return row.user if row.user.is_active else None
    return User.objects.filter(email__iexact=email, is_active=True, emailaddress=None).first()
