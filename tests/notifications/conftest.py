"""People who are told, and a webhook of acme's that is told too."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from aigc_portal.sealing import seal
from tenants.models import Tenant, User
from tenants.notifications.models import Notification, WebhookEndpoint
from tenants.notifications.operations import notify
from tenants.notifications.signing import new_secret
from tests.notifications.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def secret() -> str:
    return new_secret()


@pytest.fixture
def endpoint(acme: Tenant, anna: User, receiver: Receiver, secret: str) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(tenant=acme, url=receiver.url, sealed_secret=seal(secret), created_by=anna)


@pytest.fixture
def tell(acme: Tenant) -> Callable[..., Notification | None]:
    """Tell of an instance of acme that is about to be paused."""

    def run(*recipients: User, key: str = "once", kind: str = "idle_warning", **context: object) -> Notification | None:
        about = {"name": "Dragon", "minutes": 10} | context
        return notify(tenant=acme, kind=kind, recipients=recipients, key=key, subject="7f3k2qxbcd", context=about)

    return run


@pytest.fixture
def later() -> Callable[[timedelta], Callable[[], datetime]]:
    """A clock that is so much ahead."""
    return lambda ahead: lambda: timezone.now() + ahead
