"""Several GameServerSets as one catalog: what is the same is said once, what collides is kept apart."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from engines import catalog_schema as schema
from engines.adoption.documents import AdoptionError, Found
from engines.adoption.findings import Decider, Finding
from engines.adoption.gameserverset import Adopted, adopt
from engines.adoption.naming import slug

_LINE_WIDTH = 120
_HEAD = "# Adopted from GameServerSets. What has to be decided before a version is published stands in its notes.\n"


@dataclass(frozen=True)
class Report:
    """What one GameServerSet became, and what was found in it."""

    title: str  # "default/sd in gss.yaml, document 1"
    version: str  # "sd v1"
    gpu_class: str  # slug
    findings: list[Finding]

    @property
    def undecided(self) -> list[Finding]:
        """What somebody has to decide."""
        return [each for each in self.findings if each.decider != Decider.NOBODY]

    @property
    def replaced(self) -> list[Finding]:
        """What the portal does in another way, or does not need."""
        return [each for each in self.findings if each.decider == Decider.NOBODY]


@dataclass
class Plan:
    """A catalog document, in the shape of a catalog file, and a report for each GameServerSet in it."""

    document: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"engines": [], "gpu_classes": []})
    reports: list[Report] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    @property
    def catalog(self) -> schema.Catalog:
        """The document as `engines.operations.catalog` loads it."""
        return schema.Catalog.model_validate(self.document)

    def as_yaml(self) -> str:
        """The document as a catalog file, to be read and corrected before it is loaded."""
        return _HEAD + yaml.dump(self.document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=_LINE_WIDTH)


class _Plain(yaml.SafeDumper):
    """Write every value out where it counts: catalog files know no aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _written(dumper: _Plain, text: str) -> yaml.Node:
    """Texts of several lines as such, so that notes can be read."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _written)


def make_plan(*places: Found) -> Plan:
    """Adopt every GameServerSet, or none: AdoptionError names every one that cannot be a catalog entry, and why."""
    plan = Plan()
    problems: list[str] = []
    for place in places:
        plan.passed_over += place.passed_over
        for source in place.sources:
            adopted, refused = adopt(source)
            problems += refused
            if adopted is not None:
                _add(plan, adopted)
    if problems:
        raise AdoptionError(problems)
    return plan


def _add(plan: Plan, adopted: Adopted) -> None:
    engine, gpu_class, findings = adopted.engine, adopted.gpu_class, list(adopted.findings)
    engines, classes = plan.document["engines"], plan.document["gpu_classes"]
    same = next((each for each in engines if _what_runs(each) == _what_runs(engine)), None)
    if same is not None:
        engine = same
        findings.append(Finding("spec", f"runs what {same['name']} runs, so both are the same version here"))
    elif any(each["slug"] == engine["slug"] for each in engines):
        engine = engine | {"slug": slug(f"{adopted.source.namespace}-{adopted.source.name}")}
        findings.append(Finding("metadata.name", f"names another GameServerSet too, so the engine's slug is {engine['slug']}"))
    if same is None:
        engines.append(engine)
    if all(each["slug"] != gpu_class["slug"] for each in classes):
        classes.append(gpu_class)
    version = f"{engine['slug']} {engine['versions'][0]['version']}"
    plan.reports.append(Report(str(adopted.source), version, gpu_class["slug"], findings))


def _what_runs(engine: dict[str, Any]) -> dict[str, Any]:
    """Everything of its one version but the notes, which tell of the GameServerSet."""
    return {key: value for key, value in engine["versions"][0].items() if key != "notes"}
