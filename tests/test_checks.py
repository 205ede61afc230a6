"""Impossible settings are named before anything starts."""

import os
import re
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pytest
from django.core.checks import run_checks

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "settings.md"
KEY = "k" * 40
PRODUCTION = {
    "PORTAL_ORIGIN": "https://portal.example.com",
    "PORTAL_HOST": "portal.example.com",
    "ENGINES_SCHEME": "https",
    "ENGINES_DOMAIN": "engines.example.net",
    "ENCRYPTION_KEYS_GIVEN": [KEY],
    "REQUIRE_OPERATOR_MFA": True,
}


def found(settings, **changes) -> list[str]:
    """The ids of our own messages after these changes, in order."""
    for name, value in changes.items():
        setattr(settings, name, value)
    messages = [message for message in run_checks() if message.id and message.id.startswith("aigc.")]
    assert all(message.hint for message in messages)
    return sorted(message.id for message in messages)


def test_defaults_are_possible(settings):
    assert found(settings) == []


def test_production_settings_are_possible(settings):
    assert found(settings, **PRODUCTION, GATEWAY_KEYS=[f"2:{KEY}", f"1:{KEY}"]) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (PRODUCTION | {"ENCRYPTION_KEYS_GIVEN": []}, ["aigc.E024"]),
        ({"ENCRYPTION_KEYS_GIVEN": []}, []),
        ({"ENCRYPTION_KEYS": [KEY, "short"]}, ["aigc.E025"]),
    ],
)
def test_keys_of_stored_credentials(settings, changes, expected):
    assert found(settings, **changes) == expected


@pytest.mark.parametrize(("backend", "expected"), [("console", ["aigc.W002"]), ("smtp", [])])
def test_in_production_mail_is_not_printed(settings, backend, expected):
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    deployed = run_checks(include_deployment_checks=True)
    assert [message.id for message in deployed if message.id and message.id.startswith("aigc.")] == expected
    assert found(settings) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"AUDIT_DAYS": 30}, []),
        ({"AUDIT_DAYS": 29}, ["aigc.E071"]),
        ({"REQUIRE_OPERATOR_MFA": False}, []),  # on this machine alone
        (PRODUCTION | {"REQUIRE_OPERATOR_MFA": False}, ["aigc.W071"]),
    ],
)
def test_the_audit_log_is_kept_and_operators_prove_themselves(settings, changes, expected):
    assert found(settings, **changes) == expected


@pytest.mark.parametrize(
    ("proxies", "expected"),
    [([], []), (["10.0.0.0/8", "2001:db8::1"], []), (["10.0.0.1/8"], ["aigc.E015"]), (["0.0.0.0/0", "lb"], ["aigc.E015"] * 2)],
)
def test_trusted_proxies_are_networks_and_never_everybody(settings, proxies, expected):
    assert found(settings, GATEWAY_TRUSTED_PROXIES=proxies) == expected


@pytest.mark.parametrize(
    "origin",
    [
        "portal.example.com",
        "https://portal.example.com/",
        "https://portal.example.com/aigc",
        "ftp://portal.example.com",
        "https://",
        "https://user@portal.example.com",
        "https://portal.example.com:0",
        "https://portal.example.com:99999",
        "https://Portal.example.com",
        "",
    ],
)
def test_malformed_origin(settings, origin):
    assert found(settings, PORTAL_ORIGIN=origin) == ["aigc.E001"]


@pytest.mark.parametrize("changes", [{"ENGINES_DOMAIN": "https://engines.example.net"}, {"ENGINES_SCHEME": "ftp"}])
def test_malformed_engines_domain(settings, changes):
    assert found(settings, **PRODUCTION | changes) == ["aigc.E002"]


@pytest.mark.parametrize(
    ("portal", "engines", "expected"),
    [
        ("portal.example.com", "portal.example.com", ["aigc.E003"]),
        ("portal.example.com", "example.com", ["aigc.E003"]),
        ("portal.example.com", "engines.portal.example.com", ["aigc.E003"]),
        ("portal.example.com", "engines.example.com", ["aigc.W001"]),
        ("portal.example.com", "engines-example.com", []),
        ("example.com", "notexample.com", []),
        ("portal.one.co.uk", "engines.two.co.uk", []),
        ("portal.one.co.uk", "engines.one.co.uk", ["aigc.W001"]),
    ],
)
def test_shared_domains(settings, portal, engines, expected):
    changes = {"PORTAL_ORIGIN": f"https://{portal}", "PORTAL_HOST": portal, "ENGINES_DOMAIN": engines}
    assert found(settings, **PRODUCTION | changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ENGINES_SCHEME": "http"}, ["aigc.E004"]),
        ({"PORTAL_ORIGIN": "http://portal.example.com", "ENGINES_SCHEME": "http"}, ["aigc.E005"]),
        ({"DEBUG": True}, ["aigc.E006"]),
    ],
)
def test_schemes_and_debug(settings, changes, expected):
    assert found(settings, **PRODUCTION | changes) == expected


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "http://portal.localhost:8000"])
def test_debug_and_http_are_fine_on_localhost(settings, origin):
    assert found(settings, PORTAL_ORIGIN=origin, DEBUG=True) == []


@pytest.mark.parametrize("bind", ["8001", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", ""])
def test_addresses_to_listen_on(settings, bind):
    assert found(settings, PORTAL_BIND=bind) == ["aigc.E011"]


@pytest.mark.parametrize("bind", ["8002", "unix:", "unix:run/gwauth.sock", "unix:gwauth:8002", f"unix:/{'x' * 100}"])
def test_impossible_addresses_of_gwauth(settings, bind):
    assert found(settings, GWAUTH_BIND=bind) == ["aigc.E011"]


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:8002", "gwauth.aigc-system.svc:8002", "unix:/run/aigc/gwauth.sock", f"unix:/{'x' * 99}"]
)
def test_addresses_of_gwauth(settings, bind):
    assert found(settings, GWAUTH_BIND=bind) == []


@pytest.mark.parametrize("ports", [range(0), range(80, 90), range(65000, 70000)])
def test_impossible_local_ports(settings, ports):
    assert found(settings, LOCAL_PORTS=ports) == ["aigc.E012"]


@pytest.mark.parametrize(("limit", "ids"), [(0, ["aigc.E014"]), (7, ["aigc.E014"]), (8, []), (16, [])])
def test_a_piece_of_an_upload_has_to_pass_the_gateway(settings, limit, ids):
    assert found(settings, BODY_LIMIT_MIB=limit) == ids


@pytest.mark.parametrize("name", ["PORTAL_BIND", "GWAUTH_BIND", "PORTAL_HOST", "ENGINES_DOMAIN"])
def test_local_ports_meet_a_service(settings, name):
    assert found(settings, LOCAL_PORTS=range(9500, 9600), **{name: "engines.localhost:9555"}) == ["aigc.E013"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], ["aigc.E021"]),
        ([KEY], ["aigc.E021"]),
        ([f"1:{KEY}", f":{KEY}"], ["aigc.E021"]),
        ([f"1:{KEY}", f"1:x{KEY}"], ["aigc.E022"]),
        ([f"2:{KEY}", "1:short"], ["aigc.E023"]),
    ],
)
def test_gateway_keys(settings, keys, expected):
    assert found(settings, GATEWAY_KEYS=keys) == expected


def test_short_gateway_secret(settings):
    assert found(settings, GATEWAY_SECRET="x" * 31) == ["aigc.E023"]


@pytest.mark.parametrize("url", ["amqp://broker", "valkey.example.com:6379", "memory://"])
def test_other_brokers(settings, url):
    assert found(settings, REDIS_URL=url) == ["aigc.E032"]


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ([], []),
        (["10.20.0.0/16", "fd12:3456::/32", "127.0.0.1"], []),
        (["10.20.0.1/16", "localhost"], ["aigc.E051", "aigc.E051"]),
    ],
)
def test_networks_of_webhooks(settings, networks, expected):
    assert found(settings, WEBHOOK_NETWORKS=networks) == expected


def test_time_zone_of_the_books(settings):
    assert found(settings, TIME_ZONE="Asia/Shanghai") == ["aigc.E041"]


@pytest.fixture
def no_time_zone_data():
    """A zone search path without any zone, as on a machine without tzdata; the package of that name is hidden too."""
    before = zoneinfo.TZPATH
    hidden = sys.modules.get("tzdata")
    sys.modules["tzdata"] = None
    zoneinfo.reset_tzpath(to=[])
    yield
    zoneinfo.reset_tzpath(to=before)
    if hidden is None:
        del sys.modules["tzdata"]
    else:
        sys.modules["tzdata"] = hidden


def test_missing_time_zone_data(settings, no_time_zone_data):
    assert found(settings) == ["aigc.E042"]


def manage_check(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIGC_")}
    environment["AIGC_DATA_DIR"] = os.environ["AIGC_DATA_DIR"]
    command = [sys.executable, "manage.py", "check", *flags, "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, timeout=60, check=False)


def test_a_fresh_clone_passes():
    done = manage_check()
    assert (done.returncode, done.stderr) == (0, "")


def test_production_passes_the_deployment_checks():
    done = manage_check(
        "--deploy",
        AIGC_PORTAL_ORIGIN="https://portal.example.com",
        AIGC_ENGINES_DOMAIN="engines.example.net",
        AIGC_ENCRYPTION_KEYS=KEY,
        AIGC_EMAIL_URL="smtp+tls://mail.example.com:587",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_malformed_origin_is_a_message_and_no_traceback():
    done = manage_check(AIGC_PORTAL_ORIGIN="portal")
    assert done.returncode == 1
    assert "aigc.E001" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_databases():
    done = manage_check(DATABASE_URL="sqlite:////tmp/portal.sqlite3")
    assert done.returncode == 1
    assert "aigc.E031" in done.stderr
    assert "PostgreSQL only" in done.stderr


def test_the_guide_names_every_variable_and_every_check():
    code = (ROOT / "aigc_portal" / "settings.py").read_text()
    variables = set(re.findall(r"env(?:\.\w+)?\(\s*\"(\w+)\"", code))
    checks = [ROOT / "aigc_portal" / "checks.py", ROOT / "tenants" / "sign_in" / "checks.py"]
    ids = set(re.findall(r"aigc\.[EW]\d+", "".join(each.read_text() for each in checks)))
    guide = GUIDE.read_text()
    assert set(re.findall(r"`(AIGC_\w+|DATABASE_URL|REDIS_URL)`", guide)) == variables
    assert set(re.findall(r"aigc\.[EW]\d+", guide)) == ids
