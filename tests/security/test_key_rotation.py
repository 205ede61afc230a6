"""`rotate_secrets`: killed in between, begun again, and without the key that it would need."""

import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from aigc_portal import resealing
from aigc_portal.sealed_field import sealed_columns
from aigc_portal.sealing import is_current, seal, unseal
from engines.models import Cluster, ClusterSecret
from tenants.models import Tenant, User
from tenants.notifications.models import WebhookEndpoint
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW, OTHER = "o" * 40, "n" * 40, "x" * 40


def rotate() -> str:
    out = StringIO()
    call_command("rotate_secrets", stdout=out, no_color=True)
    return out.getvalue()


def make_cluster_secrets(number: int) -> list[ClusterSecret]:
    cluster = Cluster.objects.create(slug="remote", name="Remote", kind="kubernetes", config={})
    secrets = [ClusterSecret(cluster=cluster, name=f"s{each}", sealed=seal(f"secret {each}")) for each in range(number)]
    return ClusterSecret.objects.bulk_create(secrets)


@pytest.mark.django_db
def test_every_sealed_column_is_rotated(acme: Tenant, settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    make_cluster_secrets(1)
    WebhookEndpoint.objects.create(tenant=acme, url="https://x.example", sealed_secret=seal("a"), sealed_previous=seal("b"))
    WebhookEndpoint.objects.create(tenant=acme, url="https://y.example", sealed_secret=seal("c"))
    filled = [column for column in sealed_columns() if column.model.objects.exclude(**{column.field: ""}).exists()]
    assert {str(each) for each in filled} == {
        "engines.ClusterSecret.sealed",
        "tenants.WebhookEndpoint.sealed_previous",
        "tenants.WebhookEndpoint.sealed_secret",
    }
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert "encrypted anew: 4, already with the newest key: 0" in rotate()
    assert "encrypted anew: 0, already with the newest key: 4" in rotate()
    settings.ENCRYPTION_KEYS = [NEW]
    assert {unseal(text) for text in WebhookEndpoint.objects.values_list("sealed_secret", flat=True)} == {"a", "c"}
    assert set(WebhookEndpoint.objects.values_list("sealed_previous", flat=True)) > {""}


def test_second_factors_are_rotated_where_they_stand(alice: User, settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    data = {"secret": seal("totp"), "migrated_codes": [seal("one"), seal("two")], "used_mask": 3, "name": "phone"}
    factor = Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data=data)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert "encrypted anew: 3, already with the newest key: 0" in rotate()
    settings.ENCRYPTION_KEYS = [NEW]
    factor.refresh_from_db()
    assert (unseal(factor.data["secret"]), [unseal(each) for each in factor.data["migrated_codes"]]) == ("totp", ["one", "two"])
    assert (factor.data["used_mask"], factor.data["name"]) == (3, "phone")


@pytest.mark.django_db
def test_without_the_old_key_what_cannot_be_opened_is_named_and_kept(acme: Tenant, settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    lost = make_cluster_secrets(1)[0]
    settings.ENCRYPTION_KEYS = [OTHER]
    hook = WebhookEndpoint.objects.create(tenant=acme, url="https://x.example", sealed_secret=seal("kept"))
    settings.ENCRYPTION_KEYS = [NEW, OTHER]
    with pytest.raises(CommandError) as refusal:
        rotate()
    assert "No key of AIGC_ENCRYPTION_KEYS opens 1 of the stored secrets" in str(refusal.value)
    assert f"  engines.ClusterSecret.sealed of row {lost.pk}\n" in str(refusal.value)
    assert ClusterSecret.objects.get().sealed == lost.sealed
    hook.refresh_from_db()
    assert is_current(hook.sealed_secret)
    settings.ENCRYPTION_KEYS = [NEW, OTHER, OLD]
    assert "Older keys can be taken away" in rotate()
    settings.ENCRYPTION_KEYS = [NEW]
    assert unseal(ClusterSecret.objects.get().sealed) == "secret 0"


@pytest.mark.django_db(transaction=True)
def test_killed_in_between_it_has_lost_nothing_and_goes_on_where_it_was(settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    secrets = make_cluster_secrets(resealing.BATCH + 20)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {"DATABASE_URL": urlunsplit(database), "AIGC_ENCRYPTION_KEYS": f"{NEW},{OLD}"}
    with transaction.atomic():
        ClusterSecret.objects.select_for_update().get(pk=secrets[-1].pk)  # its second batch waits here
        command = [sys.executable, "manage.py", "rotate_secrets"]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                wait_until(lambda: count_current() == resealing.BATCH or process.poll() is not None, seconds=60)
                assert process.poll() is None
            finally:
                process.send_signal(signal.SIGKILL)
    assert count_current() == resealing.BATCH
    assert {unseal(each.sealed) for each in ClusterSecret.objects.all()} == {f"secret {each}" for each in range(len(secrets))}
    assert "encrypted anew: 20, already with the newest key: 100" in rotate()
    assert count_current() == len(secrets)


def count_current() -> int:
    return sum(is_current(text) for text in ClusterSecret.objects.values_list("sealed", flat=True))
