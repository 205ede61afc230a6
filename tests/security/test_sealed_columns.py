"""Secrets in the database: every column that could hold one is sealed, or somebody has said why it need not be."""

import re

import pytest
from django.apps import apps
from django.db import connection, transaction

from aigc_portal.sealed_field import sealed_columns
from aigc_portal.sealing import is_sealed, seal
from engines.models import Cluster, ClusterSecret

SUSPICIOUS = re.compile(r"secret|passw|token|credential|private|kubeconfig|sealed|digest|nonce|code|(^|_)key$|(^|_)data$")
# Columns that sound like secrets and are none, or whose content cannot be turned back into one.
NOT_IN_THE_CLEAR = {
    "account.EmailConfirmation.key": "never filled: addresses are confirmed by signed links",
    "auth.Permission.codename": "a name",
    "billing.BillingPeriod.digest": "a digest of the books",
    "engines.EngineVersion.secret_environment": "names of secrets that a tenant's namespace has",
    "gateway.ApiToken.digest": "SHA-256 of 190 random bits",
    "sessions.Session.session_data": "signed, and says who is signed in; it holds no credential",
    "sessions.Session.session_key": "lives for days; who reads it and reaches the portal is that person: docs/guides/security.md",
    "sign_in.ProviderSession.session_key": "as sessions.Session.session_key",
    "socialaccount.SocialAccount.extra_data": "claims of the identity provider",
    "socialaccount.SocialApp.key": "never filled: providers are configured by a file",
    "socialaccount.SocialApp.secret": "never filled: providers are configured by a file",
    "socialaccount.SocialToken.token": "never filled: SOCIALACCOUNT_STORE_TOKENS is off",
    "socialaccount.SocialToken.token_secret": "never filled: SOCIALACCOUNT_STORE_TOKENS is off",
    "tenants.AccessToken.digest": "a digest of random bits",
    "tenants.AuditEvent.token": "the token's public id",
    "tenants.Invitation.token_digest": "a digest of random bits",
    "tenants.KeptAnswer.key": "what a client calls its request",
    "tenants.KeptAnswer.request_digest": "a digest, to compare with",
    "tenants.Notification.key": "what makes a notification one of its kind",
    "tenants.User.password": "Argon2",
    "usersessions.UserSession.data": "where somebody signed in from",
    "usersessions.UserSession.session_key": "as sessions.Session.session_key",
}


def suspicious_columns() -> dict[str, bool]:
    """Every column with a name like that, and whether it is sealed. Flags, dates and references are none."""
    sealed = {str(column) for column in sealed_columns()}
    textual = {"CharField", "TextField", "JSONField", "BinaryField", "SlugField"}
    return {
        f"{model._meta.label}.{field.name}": f"{model._meta.label}.{field.name}" in sealed
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.get_internal_type() in textual | {"SealedField"} and SUSPICIOUS.search(field.name)
    }


def test_every_column_that_could_hold_a_secret_is_sealed_or_argued() -> None:
    found = suspicious_columns()
    assert {name for name, sealed in found.items() if not sealed} == set(NOT_IN_THE_CLEAR)


def test_the_sealed_columns_are_these() -> None:
    assert {
        "engines.ClusterSecret.sealed",
        "mfa.Authenticator.data",
        "sign_in.ProviderSession.sealed_id_token",
        "sign_in.ProviderSession.sealed_refresh_token",
        "tenants.WebhookEndpoint.sealed_previous",
        "tenants.WebhookEndpoint.sealed_secret",
    } <= {str(column) for column in sealed_columns()}


@pytest.mark.parametrize("text", ["", "x", "密钥", "long " * 1000])
def test_what_was_sealed_is_told_from_what_is_in_the_clear(text: str) -> None:
    assert is_sealed(seal(text))
    assert not is_sealed(text)
    assert not is_sealed(f"{seal(text)}\n")


@pytest.mark.django_db
def test_nothing_in_the_clear_is_written_and_the_refusal_does_not_tell_it() -> None:
    cluster = Cluster.objects.create(slug="remote", name="Remote", kind="kubernetes", config={})
    refused = pytest.raises(ValueError, match=r"^engines\.ClusterSecret\.sealed takes sealed text only$")
    with refused, transaction.atomic():
        ClusterSecret.objects.create(cluster=cluster, name="main", sealed="s3cret")
    kept = ClusterSecret.objects.create(cluster=cluster, name="main", sealed=seal("s3cret"))
    for write in (
        lambda: ClusterSecret.objects.filter(pk=kept.pk).update(sealed="s3cret"),
        lambda: ClusterSecret.objects.bulk_create([ClusterSecret(cluster=cluster, name="other", sealed="s3cret")]),
    ):
        with pytest.raises(ValueError, match="takes sealed text only"), transaction.atomic():
            write()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM engines_clustersecret")
        assert [is_sealed(row[0]) for row in cursor.fetchall()] == [True]
