"""One e-mail: in the language and the time zone of whom it is for, as plain text and as simple HTML."""

import smtplib
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from tenants.models import Membership, User
from tenants.notifications.models import Delivery, Notification, Problem
from tenants.notifications.outcome import DELIVERED, Outcome
from tenants.zones import known_zone


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a mail is for. `key` tells readers of one notification apart; `stranger`: has no list of notifications to look at."""

    address: str
    key: str
    language: str = ""
    time_zone: str = "UTC"
    stranger: bool = False


def reader_of(user: User) -> Reader:
    """Return a member as a reader."""
    return Reader(user.email, str(user.pk), user.language, user.time_zone)


def send_mail(delivery: Delivery) -> Outcome:
    """Hand one e-mail to the mail server."""
    reader = _reader(delivery)
    if reader is None:
        return Outcome(Problem.NO_ADDRESS, hopeless=True)
    try:
        compose(delivery.notification, reader).send()
    except smtplib.SMTPRecipientsRefused as refusal:
        code, text = next(iter(refusal.recipients.values()))
        return Outcome(Problem.MAIL_REFUSED, detail=f"{code} {text.decode(errors='replace')}", hopeless=code >= 500)
    except (ValueError, smtplib.SMTPNotSupportedError) as error:  # an address that no server, or not this one, could take
        return Outcome(Problem.MAIL_REFUSED, detail=str(error), hopeless=True)
    except smtplib.SMTPDataError as refusal:
        return Outcome(Problem.MAIL_SERVER, detail=str(refusal))
    except OSError as error:  # which every other error of smtplib is, too
        return Outcome(Problem.MAIL_SERVER, detail=repr(error), receiver_ails=True)
    return DELIVERED


def _reader(delivery: Delivery) -> Reader | None:
    """Return whom it is for; None for who has no address, or is no longer a member."""
    if delivery.address:
        return Reader(delivery.address, f"d{delivery.pk}", delivery.language, stranger=True)
    user = delivery.user
    assert user is not None  # noqa: S101 - for the type checker; a constraint refuses such a row
    members = Membership.objects.filter(user=user, user__is_active=True, lapsed_at=None, tenant=delivery.notification.tenant_id)
    return reader_of(user) if user.email and members.exists() else None


def compose(notification: Notification, reader: Reader) -> EmailMultiAlternatives:
    """Write it. Its Message-ID is the same however often it is sent, so that a mailbox may tell a second copy."""
    tenant, kind = notification.tenant, notification.about
    with translation.override(reader.language or settings.LANGUAGE_CODE), timezone.override(known_zone(reader.time_zone)):
        words = kind.words(notification.context)
        context = {
            "words": words,
            "kind": kind,
            "stranger": reader.stranger,
            "tenant": tenant,
            "site_name": settings.SITE_NAME,
            "link": settings.PORTAL_ORIGIN + kind.link(tenant.slug, notification.subject),
            "choices": settings.PORTAL_ORIGIN + reverse("notifications", args=[tenant.slug]) + "#choices",
            "language": translation.get_language(),
        }
        text = render_to_string("notifications/mail.txt", context)
        html = render_to_string("notifications/mail.html", context)
    domain = settings.PORTAL_HOST.partition(":")[0]
    headers = {
        "Message-ID": f"<{notification.pk.hex}.{reader.key}@{domain}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's holiday notice should answer
    }
    mail = EmailMultiAlternatives(words.title, text, to=[reader.address], headers=headers)
    mail.attach_alternative(html, "text/html")
    return mail
