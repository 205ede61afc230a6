import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigc_portal.embedded.ports import caddy_binary
from gateway.configuration import BadConfiguration, GatewaySettings, caddy_environment, upstream_pattern
from gateway.management.commands.gateway import CADDYFILE

LOCAL = GatewaySettings(
    portal_origin="http://portal.localhost:8000",
    engines_scheme="http",
    engines_domain="engines.localhost:8000",
    portal_bind="127.0.0.1:8001",
    gwauth_bind="127.0.0.1:8002",
    secret="secret",
    bind=["127.0.0.1", "::1"],
    local_ports=range(20_000, 21_000),
    upstream_patterns=[],
    certificate="",
    certificate_key="",
    admin_socket=Path("/run/caddy.sock"),
    storage=Path("/data/caddy"),
    portal_body_limit_mib=16,
    hsts_seconds=0,
)
CLUSTER = replace(
    LOCAL,
    portal_origin="https://portal.example.com",
    engines_scheme="https",
    engines_domain="engines.example.net",
    bind=["0.0.0.0"],
    upstream_patterns=[r"i-[a-z0-9]{10}\.aigc-[a-z0-9-]{1,50}\.svc\.cluster\.local:80"],
    certificate="/certs/tls.crt",
    certificate_key="/certs/tls.key",
    trusted_proxies=["10.0.0.0/8", "2001:db8::/32"],
)


def test_on_one_machine_one_port_serves_all_names():
    assert caddy_environment(LOCAL) == {
        "AIGC_GW_PORTAL_SITE": "http://portal.localhost:8000",
        "AIGC_GW_ENGINES_SITE": "http://*.engines.localhost:8000",
        "AIGC_GW_REDIRECT_SITE": "http://localhost:8000",
        "AIGC_GW_CATCH_ALL_SITE": "http://:8000",
        "AIGC_GW_PORTAL_ORIGIN": "http://portal.localhost:8000",
        "AIGC_GW_BIND": "127.0.0.1 ::1",
        "AIGC_GW_PORTAL": "127.0.0.1:8001",
        "AIGC_GW_PORTAL_BODY_LIMIT": "16MiB",
        "AIGC_GW_AUTH": "127.0.0.1:8002",
        "AIGC_GW_SECRET": "secret",
        "AIGC_GW_UPSTREAM_PATTERN": r"^127\.0\.0\.1:(20[0-9][0-9][0-9])$",
        "AIGC_GW_TRUSTED_PROXIES": "",
        "AIGC_GW_TLS": "tls_none",
        "AIGC_GW_TLS_CERTIFICATE": "",
        "AIGC_GW_TLS_KEY": "",
        "AIGC_GW_HSTS_SECONDS": "0",
        "AIGC_GW_ADMIN": "/run/caddy.sock",
        "AIGC_GW_STORAGE": "/data/caddy",
        "GOGC": "400",
    }


def test_gwauth_may_be_a_socket():
    assert caddy_environment(replace(LOCAL, gwauth_bind="unix:/run/gwauth.sock"))["AIGC_GW_AUTH"] == "unix//run/gwauth.sock"


def test_with_tls_the_portal_and_the_engines_have_domains_of_their_own():
    environment = caddy_environment(CLUSTER)
    sites = {name: value for name, value in environment.items() if name.endswith("_SITE")}
    assert sites == {
        "AIGC_GW_PORTAL_SITE": "https://portal.example.com",
        "AIGC_GW_ENGINES_SITE": "https://*.engines.example.net",
        "AIGC_GW_REDIRECT_SITE": "http://portal.example.com:80",
        "AIGC_GW_CATCH_ALL_SITE": "https://:443",
    }
    assert environment["AIGC_GW_TLS"] == "tls_files"
    assert environment["AIGC_GW_TLS_CERTIFICATE"] == "/certs/tls.crt"
    assert environment["AIGC_GW_TRUSTED_PROXIES"] == "10.0.0.0/8 2001:db8::/32"
    pattern = environment["AIGC_GW_UPSTREAM_PATTERN"]
    assert re.search(pattern, "i-bcdfghjkmn.aigc-acme.svc.cluster.local:80")
    assert not re.search(pattern, "i-bcdfghjkmn.aigc-acme.svc.cluster.local:80.evil.example")
    assert not re.search(pattern, "kubernetes.default.svc.cluster.local:443")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"engines_domain": "engines.localhost:9000"}, "AIGC_ENGINES_DOMAIN"),
        ({"engines_scheme": "https"}, "AIGC_PORTAL_ORIGIN"),
        (
            {"portal_origin": "https://p.example.com", "engines_scheme": "https", "engines_domain": "e.example.net"},
            "AIGC_TLS_KEY",
        ),
    ],
)
def test_settings_that_make_no_gateway_are_refused_by_name(change, says):
    with pytest.raises(BadConfiguration, match=says):
        caddy_environment(replace(LOCAL, **change))


@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_exactly_the_ports_of_local_engines_may_be_dialled(first, last):
    pattern = re.compile(upstream_pattern(range(first, last + 1), []))
    for port in {
        0,
        1,
        first - 1,
        first,
        first + 1,
        (first + last) // 2,
        last - 1,
        last,
        last + 1,
        65_535,
        first * 10,
        last // 10,
    }:
        assert bool(pattern.fullmatch(f"127.0.0.1:{port}")) == (first <= port <= last)


def test_every_port_is_matched_by_itself_and_no_other():
    pattern = re.compile(upstream_pattern(range(1_987, 20_345), []))
    assert [port for port in range(65_536) if pattern.fullmatch(f"127.0.0.1:{port}")] == list(range(1_987, 20_345))


@pytest.mark.parametrize("given", [LOCAL, CLUSTER], ids=["local", "cluster"])
def test_caddy_understands_the_configuration(given):
    environment = caddy_environment(given)
    result = subprocess.run(
        [caddy_binary(), "adapt", "--config", CADDYFILE, "--adapter", "caddyfile"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    adapted = json.loads(result.stdout)
    written = adapted["logging"]["logs"]["default"]["encoder"]
    assert written["format"] == "filter"
    assert written["fields"]["request>headers"] == written["fields"]["resp_headers"] == {"filter": "delete"}
    assert written["fields"]["request>uri"] == {"filter": "regexp", "regexp": "^(/[^/?]*).*$", "value": "$1…"}
    text = json.dumps(adapted)
    assert ('Strict-Transport-Security": ["max-age=' in text) is (given is CLUSTER)
    assert json.dumps(environment["AIGC_GW_UPSTREAM_PATTERN"]) in text
    assert "AIGC_GW_SECRET" in text
    assert '"tls_connection_policies"' in text or given is LOCAL
    assert "{$" not in text
