"""The Chinese catalogue is complete, compiled, and what people see."""

import ast
import gettext
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.urls import reverse
from django.utils import translation

from billing.pricing import set_price
from engines.catalog_words import SUMMARIES
from engines.models import Instance, InstanceEvent
from engines.reasons import EXPLANATIONS, Reason
from engines.states import InstanceState
from tests import factories

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = Path("locale/zh_Hans/LC_MESSAGES/django.po")
CHINESE = "zh-hans"
PLACEHOLDER = re.compile(r"%\(\w+\)[.\d]*[a-z]|\{\w*\}|<[^>]+>")


@dataclass(frozen=True)
class Entry:
    context: str | None
    source: str
    plural: str | None
    translations: tuple[str, ...]
    flags: str

    @property
    def key(self) -> tuple[str | None, str]:
        return self.context, self.source


def read_catalogue(path: Path) -> list[Entry]:
    """Read a .po file as msgcat writes it: entries apart by an empty line, keywords at the beginning of lines."""
    header, *blocks = path.read_text().strip().split("\n\n")
    assert '"Language: zh_Hans\\n"' in header
    return [read_entry(block) for block in blocks]


def read_entry(block: str) -> Entry:
    words: dict[str, str] = {}
    keyword, flags = "", ""
    for line in block.splitlines():
        if line.startswith("#"):
            flags += line if line.startswith("#,") else ""
            continue
        if not line.startswith('"'):
            keyword, line = line.split(" ", 1)  # noqa: PLW2901 - the rest of the line is its text
        words[keyword] = words.get(keyword, "") + ast.literal_eval(line)
    translations = tuple(text for name, text in words.items() if name.startswith("msgstr"))
    return Entry(words.get("msgctxt"), words["msgid"], words.get("msgid_plural"), translations, flags)


ENTRIES = read_catalogue(ROOT / CATALOGUE)
# What must not be seen on a Chinese page: sources that read differently in Chinese, and are not also a name in these tests.
FOREIGN = {entry.source for entry in ENTRIES if entry.translations != (entry.source,)}


def test_nothing_is_untranslated_or_guessed() -> None:
    assert [entry.source for entry in ENTRIES if not all(entry.translations)] == []
    assert [entry.source for entry in ENTRIES if "fuzzy" in entry.flags] == []


def test_placeholders_and_markup_are_kept() -> None:
    def parts(text: str) -> list[str]:
        return sorted(PLACEHOLDER.findall(text))

    changed = [
        entry.source for entry in ENTRIES for text in entry.translations if parts(text) != parts(entry.plural or entry.source)
    ]
    assert changed == []


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    with (ROOT / CATALOGUE).with_suffix(".mo").open("rb") as compiled:
        found = dict(gettext.GNUTranslations(compiled)._catalog)
    found.pop("")
    wanted = {}
    for entry in ENTRIES:
        key = entry.source if entry.context is None else f"{entry.context}\x04{entry.source}"
        wanted |= (
            {(key, form): text for form, text in enumerate(entry.translations)} if entry.plural else {key: entry.translations[0]}
        )
    assert found == wanted


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="gettext is not installed")
def test_the_catalogue_has_what_is_marked_and_no_more(tmp_path: Path) -> None:
    for part in ("aigc_portal", "billing", "engines", "gateway", "tenants", "templates", "locale"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "manage.py", tmp_path)
    command = ["makemessages", "--locale", "zh_Hans", "--no-obsolete", "--no-wrap", "--add-location", "file"]
    subprocess.run([sys.executable, "manage.py", *command], cwd=tmp_path, check=True, capture_output=True)
    assert {entry.key for entry in read_catalogue(tmp_path / CATALOGUE)} == {entry.key for entry in ENTRIES}


def test_every_summary_of_our_catalogs_is_named() -> None:
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "catalog").glob("*.yaml")]
    rows = [row for file in files for section in ("engines", "gpu_classes") for row in file.get(section, [])]
    assert sorted(SUMMARIES) == sorted(row["summary"] for row in rows if row.get("summary"))


class Seen(HTMLParser):
    """What a page shows and tells: text, and the attributes that people read or hear."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.silent = 0
        self.icon = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in {"script", "style"}
        self.icon = "material-symbols" in (dict(attrs).get("class") or "")  # its text is the name of a picture
        told = {"title", "aria-label", "placeholder", "data-lost", "data-closed", "data-failed", "data-refused", "data-copied"}
        self.texts |= {" ".join(value.split()) for name, value in attrs if name in told and value}

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in {"script", "style"}
        self.icon = False

    def handle_data(self, data: str) -> None:
        if not self.silent and not self.icon and data.strip():
            self.texts.add(" ".join(data.split()))


@pytest.fixture
def instance(acme, alice, tmp_path) -> Instance:
    """A failed instance of a priced class, with a history, beside one that waits and a volume in the trash."""
    cluster = factories.make_cluster(tmp_path / "cluster")
    set_price(gpu_class=factories.make_gpu_class(), per_hour=Decimal(1), starts_at=acme.created_at)
    factories.make_volume(acme, alice, cluster, name="kept one")
    factories.make_instance(acme, alice, cluster, state=InstanceState.QUEUED, reason=Reason.NO_CAPACITY)
    factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, reason=Reason.READY)
    failed = factories.make_instance(
        acme, alice, cluster, state=InstanceState.FAILED, reason=Reason.OUT_OF_MEMORY, settled_generation=1
    )
    InstanceEvent.objects.create(
        instance=failed, kind="transition", at=failed.created_at, old_state="running", new_state="failed",
        reason=Reason.OUT_OF_MEMORY, generation=1,
    )  # fmt: skip
    return failed


def pages(instance: Instance) -> Iterator[str]:
    """One address of each kind of page."""
    slug = instance.slug
    yield from ("/acme/", "/acme/?state=failed", "/acme/launch/", "/acme/data/", "/acme/costs/", "/nowhere/")
    yield from (f"/acme/costs/{page}/" for page in ("lines", "month", "budgets", "insights"))
    yield from (f"/acme/instances/{slug}/?tab={tab}" for tab in ("overview", "timeline", "data", "costs", "settings"))
    yield from (f"/acme/instances/{slug}/delete/", reverse("instance-costs", args=["acme", slug]), reverse("waking", args=[slug]))
    yield from ("/accounts/password/set/", "/accounts/logout/")


ADMIN = (
    "index", "engines_instance_changelist", "engines_volume_changelist", "engines_engineversion_changelist",
    "engines_gpuclass_add", "engines_cluster_changelist", "engines_instanceevent_changelist", "billing_price_changelist",
    "billing_price_lists", "billing_billingperiod_cockpit", "billing_capacityinterval_costs", "billing_factdecision_doubts",
    "tenants_tenant_add", "tenants_user_changelist"
)  # fmt: skip


def test_english_pages_would_be_noticed(instance, alice, client) -> None:
    client.force_login(alice)
    for url in pages(instance):
        assert Seen(client.get(url).content.decode()).texts & FOREIGN, url


def test_no_english_is_left_on_chinese_pages(instance, alice, client) -> None:
    client.force_login(alice)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = CHINESE
    for url in pages(instance):
        page = client.get(url).content.decode()
        assert '<html lang="zh-hans">' in page, url
        assert Seen(page).texts & FOREIGN == set(), url


def test_no_english_is_left_in_the_operators_console(instance, olga, client) -> None:
    foreign = FOREIGN - set(Reason)  # the codes of reasons are for searching, in every language
    client.force_login(olga)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = CHINESE
    for name in ADMIN:
        url = reverse(f"admin:{name}")
        assert Seen(client.get(url).content.decode()).texts & foreign == set(), url
    url = reverse("admin:engines_instance_change", args=[instance.pk])
    assert Seen(client.get(url).content.decode()).texts & foreign == set(), url


def test_a_month_and_money_read_right(instance, alice, client) -> None:
    client.force_login(alice)
    page = client.get("/acme/costs/month/?month=2026-01", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "2026年1月合计" in page
    assert "USD 0.00" in page


def test_the_language_is_chosen_without_javascript_and_kept(alice, client) -> None:
    page = client.get("/accounts/login/?next=/acme/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert re.search(r'value="en" lang="en">English</button>', page)
    assert re.search(r'value="zh-hans" lang="zh-hans" aria-current="true">.*简体中文</button>', page)
    answer = client.post("/i18n/setlang/", {"language": CHINESE, "next": "/accounts/login/?next=/acme/"})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/acme/")
    cookie = answer.cookies["__Host-language"]
    assert (cookie.value, cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (
        CHINESE, True, True, "Lax", "", "/",
    )  # fmt: skip
    assert "<h1>登录 AIGC Portal</h1>" in client.get("/accounts/login/", headers={"Accept-Language": "en"}).content.decode()
    client.force_login(alice)
    assert 'value="en" lang="en"' in client.get("/acme/").content.decode()


def test_a_page_that_was_posted_leads_home_after_a_switch(alice, client) -> None:
    client.force_login(alice)
    page = client.post("/acme/launch/", {"update": "1"}).content.decode()
    assert '<input type="hidden" name="next" value="/">' in page


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_chinese_sentence(reason: Reason) -> None:
    with translation.override(CHINESE):
        assert re.search(r"[一-鿿].*。$", str(EXPLANATIONS[reason].sentence))
