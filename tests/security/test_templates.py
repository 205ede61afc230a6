"""What our templates write into pages: nothing that a policy without unsafe sources would have to allow."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = [ROOT / name for name in ("aigc_portal", "tenants", "engines", "gateway", "billing")]
TEMPLATES = sorted(path for folder in [ROOT / "templates", *APPS] for path in folder.rglob("*.html"))
CODE = sorted(path for folder in APPS for path in folder.rglob("*.py"))
FORBIDDEN = {
    "an inline style": re.compile(r"<[a-z][^<>]*\sstyle\s*=|<style\b", re.IGNORECASE),
    "an inline handler": re.compile(r"<[a-z][^<>]*\son[a-z]+\s*=", re.IGNORECASE),
    "an address that is a script": re.compile(r"javascript:", re.IGNORECASE),
    "a script of htmx": re.compile(r"hx-on[:-]|hx-(vals|headers)\s*=\s*[\"']\s*js:|hx-trigger=\"[^\"]*\["),
    "a script without the page's nonce": re.compile(r"<script(?![^>]*nonce=\"{{ csp_nonce }}\")", re.IGNORECASE),
}
ALLOWED = {
    ("templates/notifications/mail.html", "an inline style"): "mail programs know no other",
    ("templates/gateway/notice.html", "an inline style"): "its policy names the digest of this style (gateway/answers.py)",
    ("templates/admin/engines/chosen_instances.html", "a script without the page's nonce"): "the admin's policy goes by address",
    ("engines/demo_engine/web/index.html", "a script without the page's nonce"): "an engine's page, on its own host",
}


def found_in(path: Path) -> set[tuple[str, str]]:
    text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL)
    return {(path.relative_to(ROOT).as_posix(), what) for what, pattern in FORBIDDEN.items() if pattern.search(text)}


def test_no_template_needs_what_the_policy_forbids() -> None:
    assert len(TEMPLATES) > 80
    found = set().union(*map(found_in, TEMPLATES))
    assert found == set(ALLOWED)


def test_no_markup_in_code_does_either() -> None:
    needed = ("an inline style", "an inline handler", "a script without the page's nonce")
    found = {each for path in CODE for each in found_in(path) if each[1] in needed}
    assert found == set()


@pytest.mark.parametrize(
    ("markup", "what"),
    [
        ('<p class="x" style="color: red">', "an inline style"),
        ("<style>p {}</style>", "an inline style"),
        ('<button type="button" onclick="go()">', "an inline handler"),
        ('<a href="javascript:go()">', "an address that is a script"),
        ('<form hx-on:submit="go()">', "a script of htmx"),
        ("<script src=\"{% static 'x.js' %}\"></script>", "a script without the page's nonce"),
    ],
)
def test_the_look_finds_each(markup: str, what: str) -> None:
    assert [name for name, pattern in FORBIDDEN.items() if pattern.search(markup)] == [what]


def test_the_look_leaves_what_is_fine() -> None:
    fine = '<p class="style"><input name="on=1"><script src="/x.js" nonce="{{ csp_nonce }}"></script><a href="/on?x=1">'
    assert [name for name, pattern in FORBIDDEN.items() if pattern.search(fine)] == []
