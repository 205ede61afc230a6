"""Passwords at rest: Argon2, and hashes of before become it when their owners sign in."""

from django.contrib.auth.hashers import get_hasher, identify_hasher, make_password
from django.test import Client

from tenants.models import User


def test_new_passwords_are_argon2id() -> None:
    assert make_password("correct horse battery").startswith("argon2$argon2id$")


def test_an_older_hash_is_made_anew_at_sign_in(alice: User, client: Client) -> None:
    alice.password = get_hasher("scrypt").encode("correct horse battery", "salt" * 4)
    alice.save()
    assert client.post("/accounts/login/", {"login": "alice", "password": "wrong horse"}).status_code == 200
    alice.refresh_from_db()
    assert identify_hasher(alice.password).algorithm == "scrypt"
    assert client.post("/accounts/login/", {"login": "alice", "password": "correct horse battery"}).status_code == 302
    alice.refresh_from_db()
    assert identify_hasher(alice.password).algorithm == "argon2"
    assert alice.check_password("correct horse battery")
