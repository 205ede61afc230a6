"""Rules and networks of API tokens, and what their text looks like."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigc_portal.token_secrets import digest
from gateway.api_tokens.limits import BadLimit, contains, permits, read_network, read_rule
from gateway.api_tokens.secrets import bearer_of, is_well_formed, new_secret

RULES = {
    "/prompt": "/prompt",
    " post   /prompt ": "POST /prompt",
    "GET /history/*": "GET /history/*",
    "/sdapi/v1/*": "/sdapi/v1/*",
    "*": None,
    "prompt": None,
    "GET": None,
    "GET /a b": None,
    "G3T /a": None,
    "": None,
    "/" + "x" * 200: None,
}


@pytest.mark.parametrize(("typed", "kept"), RULES.items())
def test_a_rule_is_a_path_perhaps_with_a_method(typed, kept):
    if kept is None:
        with pytest.raises(BadLimit):
            read_rule(typed)
    else:
        assert read_rule(typed) == kept


GIVEN = ("POST /prompt", "GET /history/*", "/view*.png")
REQUESTS = [
    ("POST", "/prompt", True),
    ("POST", "/prompt?x=/history/1", True),
    ("POST", "/%70rompt", True),
    ("GET", "/prompt", False),
    ("POST", "/prompt/", False),
    ("POST", "/PROMPT", False),
    ("POST", "/xprompt", False),
    ("GET", "/history/", True),
    ("HEAD", "/history/1", True),
    ("GET", "/history/1/2", True),
    ("POST", "/history/1", False),
    ("GET", "/history", False),
    ("DELETE", "/view/a/b.png", True),
    ("GET", "/view.jpg", False),
    ("GET", "/?p=/history/1", False),
    # What an engine might read as something else than we do.
    ("GET", "/history/../prompt", False),
    ("GET", "/history/%2e%2e/prompt", False),
    ("GET", "/history/..%2fprompt", False),
    ("GET", "/history/%252e%252e/prompt", False),
    ("GET", "/history//prompt", False),
    ("GET", "/history/.", False),
    ("GET", "/history/a\\..\\b", False),
    ("GET", "/history/%5c..", False),
    ("GET", "/history/%00", False),
    ("GET", "//history/1", False),
    ("GET", "history/1", False),
]


@pytest.mark.parametrize(("method", "target", "allowed"), REQUESTS)
def test_only_what_a_rule_covers_is_permitted(method, target, allowed):
    assert permits(GIVEN, method, target) is allowed


def test_without_rules_everything_is_permitted():
    assert permits((), "DELETE", "/a/../b//c")


GLOBS = st.lists(st.sampled_from(["a", "b", "/", "*"]), max_size=8).map("".join)


@given(GLOBS, st.text("ab/", max_size=10))
def test_a_star_stands_for_anything(glob, path):
    """The same as a regular expression says, on paths that are plain."""
    glob, path = re.sub("/+", "/", f"/{glob}"), re.sub("/+", "/", f"/{path}")
    expected = re.fullmatch(".*".join(map(re.escape, glob.split("*"))), path) is not None
    assert permits((glob,), "GET", path) is expected


NETWORKS = ("10.1.0.0/16", "2001:db8::/32", "192.0.2.7/32")
ADDRESSES = {
    "10.1.255.255": True,
    "10.2.0.0": False,
    "::ffff:10.1.0.1": True,
    "2001:db8::1": True,
    "2001:db9::1": False,
    "fe80::1%eth0": False,
    "192.0.2.7": True,
    "192.0.2.8": False,
    "": False,
    "10.1.0.1, 10.9.9.9": False,
}


def test_an_address_is_in_a_network_or_not():
    assert {address: contains(NETWORKS, address) for address in ADDRESSES} == ADDRESSES
    assert contains((), "")


def test_networks_are_read_strictly():
    assert [read_network(text) for text in ("10.1.0.0/16", " 192.0.2.7 ", "2001:DB8::/32")] == [
        "10.1.0.0/16",
        "192.0.2.7/32",
        "2001:db8::/32",
    ]
    for typed in ("10.1.0.1/16", "office", "", "10.0.0.0/33"):
        with pytest.raises(BadLimit):
            read_network(typed)


def test_a_new_token_is_recognised_and_no_two_are_the_same():
    first, second = new_secret(), new_secret()
    assert re.fullmatch(r"aigc_[A-Za-z0-9]{40}", first.text)
    assert (first.key_id, first.digest) == (first.text[5:13], digest(first.text))
    assert len(first.digest) == 64
    assert first.text != second.text
    assert is_well_formed(first.text)
    assert not is_well_formed(first.text + "x")


HEADERS = {
    "Bearer aigc_abc": "aigc_abc",
    "bearer   aigc_abc ": "aigc_abc",
    "BEARER\taigc_a b": "aigc_a b",
    "Bearer AIGC_abc": "AIGC_abc",
    "Bearer other": None,
    "Basic YWlnY18=": None,
    "Bearer": None,
    "": None,
    "aigc_abc": None,
}


def test_a_bearer_of_ours_is_told_from_the_engines_own():
    assert {header: bearer_of(header) for header in HEADERS} == HEADERS
