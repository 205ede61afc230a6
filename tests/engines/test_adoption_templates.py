"""What becomes of realistic GameServerSets: the exact catalog file, and the exact report."""

from pathlib import Path

import pytest
import yaml

from engines.adoption.documents import read_yaml
from engines.adoption.plan import Plan, make_plan
from engines.catalog_file import read_catalog

TEMPLATES = Path(__file__).parent / "gameserversets"
NAMES = ["comfyui", "eci", "sd-webui"]


def plan_of(name: str) -> Plan:
    return make_plan(read_yaml((TEMPLATES / f"{name}.yaml").read_text(), f"{name}.yaml"))


def told(plan: Plan) -> str:
    lines = []
    for report in plan.reports:
        lines += [f"{report.title}: {report.version}, {report.gpu_class}", *(f"  {each}" for each in report.findings)]
    return "\n".join([*lines, *(f"not read: {each}" for each in plan.passed_over)]) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_templates_become_this_catalog(name):
    document = yaml.safe_load((TEMPLATES / f"{name}.catalog.yaml").read_text())
    plan = plan_of(name)
    without_notes = [
        engine | {"versions": [{key: value for key, value in each.items() if key != "notes"} for each in engine["versions"]]}
        for engine in plan.document["engines"]
    ]
    assert plan.document | {"engines": without_notes} == document


@pytest.mark.parametrize("name", NAMES)
def test_templates_are_reported_like_this(name):
    assert told(plan_of(name)) == (TEMPLATES / f"{name}.report.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_written_file_says_the_same_as_the_plan(name, tmp_path):
    plan, path = plan_of(name), tmp_path / "catalog.yaml"
    path.write_text(plan.as_yaml())
    assert read_catalog(path) == plan.catalog


@pytest.mark.parametrize("name", NAMES)
def test_notes_of_a_version_hold_what_has_to_be_decided_and_nothing_of_the_installation(name):
    plan = plan_of(name)
    reports = {report.title.partition(" ")[0]: report for report in plan.reports}
    for engine in plan.document["engines"]:
        title, *notes = engine["versions"][0]["notes"].split("\n")
        assert title == engine["summary"]
        report = reports[title.removeprefix("Adopted from the GameServerSet ").rstrip(".")]
        installed = ("spec.replicas: ", "spec.reserveGameServerIds: ")
        assert notes == [str(each) for each in report.undecided if not str(each).startswith(installed)]


@pytest.mark.parametrize("secret", ["hunter2", "artist:", "a:b", "CIVITAI_API_KEY: abc"])
def test_no_secret_reaches_the_catalog_or_the_report(secret):
    for name in NAMES:
        plan = plan_of(name)
        assert secret not in plan.as_yaml() + told(plan)
