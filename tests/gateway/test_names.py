import pytest

from engines.addresses import engine_origin
from gateway.names import safe_path, slug_of_host

ELSEWHERE = ["", "evil", "//evil.example", "///evil.example", "https://evil.example", "javascript:alert(1)"]
ODD = ["/\\evil.example", "\\\\evil.example", "/a\r\nX: 1", "/a\tb", "/a b", "/ü", "/\x7f", " /a", "/" + "x" * 2048]
PLATFORM = ["/.aigc", "/.aigc/sign-out", "/%2Eaigc/sign-out", "/.AIGC/x"]


@pytest.mark.parametrize("path", ELSEWHERE + ODD + PLATFORM)
def test_all_else_leads_to_the_engines_front_page(path):
    assert safe_path(path) == "/"


def test_a_host_names_an_instance_only_exactly(settings):
    settings.ENGINES_DOMAIN, settings.ENGINES_SCHEME = "engines.localhost:8000", "http"
    host = "bcdfghjkmn.engines.localhost:8000"
    assert engine_origin("bcdfghjkmn") == f"http://{host}"
    assert slug_of_host(host) == slug_of_host(host.upper()) == "bcdfghjkmn"
    others = [
        f"x{host}",
        f"a.{host}",
        f"{host}0",
        host.removesuffix(":8000"),
        f"{host}.evil.example",
        f" {host}",
        f"{host}\n",
        "",
        ".",
    ]
    assert [slug_of_host(each) for each in others] == [None] * len(others)
