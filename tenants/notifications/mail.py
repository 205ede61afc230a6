"""One e-mail: in the language and the time zone of whom it is for, as plain text and as simple HTML."""

import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from tenants.models import Membership, User
from tenants.notifications.models import Delivery, Notification, Problem
from tenants.notifications.outcome import DELIVERED, Outcome
from tenants.zones import known_zone


def send_mail(delivery: Delivery) -> Outcome:
    """Hand one e-mail to the mail server."""
    notification, user = delivery.notification, delivery.user
    assert user is not None  # noqa: S101 - for the type checker; a constraint refuses such a row
    still_member = Membership.objects.filter(
        user=user, user__is_active=True, lapsed_at=None, tenant=notification.tenant_id
    ).exists()
    if not user.email or not still_member:
        return Outcome(Problem.NO_ADDRESS, hopeless=True)
    try:
        compose(notification, user).send()
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


def compose(notification: Notification, user: User) -> EmailMultiAlternatives:
    """Write it. Its Message-ID is the same however often it is sent, so that a mailbox may tell a second copy."""
    tenant, kind = notification.tenant, notification.about
    with translation.override(user.language or settings.LANGUAGE_CODE), timezone.override(known_zone(user.time_zone)):
        words = kind.words(notification.context)
        context = {
            "words": words,
            "kind": kind,
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
        "Message-ID": f"<{notification.pk.hex}.{user.pk}@{domain}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's holiday notice should answer
    }
    mail = EmailMultiAlternatives(words.title, text, to=[user.email], headers=headers)
    mail.attach_alternative(html, "text/html")
    return mail
