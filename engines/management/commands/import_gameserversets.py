"""`manage.py import_gameserversets FILE... | --cluster SLUG`: adopt what an AIGC-Gateway installation offers, as drafts."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from engines.adoption.documents import LIST_PATH, AdoptionError, Found, chosen, listed, read_yaml
from engines.adoption.plan import Plan, Report, make_plan
from engines.catalog_file import CatalogError
from engines.clusters import config_problem, get_cluster
from engines.clusters.base import ClusterUnavailable
from engines.clusters.kubernetes.rest import ApiError
from engines.models import Cluster
from engines.operations.catalog import Summary, load_catalog
from engines.yaml_lines import unreadable

if TYPE_CHECKING:
    from engines.clusters.kubernetes.adapter import KubernetesCluster

STANDARD = "-"


class Command(BaseCommand):
    help = (
        "Make engines, draft versions and GPU classes of the GameServerSets that AIGC-Gateway offers, and report what they say "
        "that the catalog cannot. May be repeated: it only adds. Nothing is changed in a cluster."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        places = parser.add_mutually_exclusive_group(required=True)
        places.add_argument("files", nargs="*", default=[], metavar="FILE", help="YAML with GameServerSets; - is standard input")
        places.add_argument("--cluster", metavar="SLUG", help="read them from this Kubernetes cluster of the portal instead")
        parser.add_argument("--namespace", action="append", default=[], help="only from this namespace; may be repeated")
        parser.add_argument(
            "--label", action="append", default=[], metavar="KEY=VALUE", help="only with this label; may be repeated"
        )
        parser.add_argument("--dry-run", action="store_true", help="report what would be imported, and write nothing")
        parser.add_argument("--output", metavar="FILE", help="write a catalog file to be reviewed instead; - is standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            places = [_in_cluster(options["cluster"])] if options["cluster"] else _in_files(options["files"])
            plan = make_plan(*chosen(places, namespaces=options["namespace"], labels=_labels(options["label"])))
        except AdoptionError as error:
            raise CommandError(f"{error}\nNothing was imported.") from error
        # Standard output must hold nothing but the catalog when that is where it goes.
        say = self.stderr if options["output"] == STANDARD else self.stdout
        if options["verbosity"] > 0:
            say.write("\n".join(_lines(plan)), str)
        if options["output"]:
            self._write(plan, options["output"])
        else:
            self._load(plan, dry_run=options["dry_run"])

    def _write(self, plan: Plan, name: str) -> None:
        if name == STANDARD:
            self.stdout.write(plan.as_yaml(), ending="")
            return
        try:
            with Path(name).open("x", encoding="utf-8") as file:
                file.write(plan.as_yaml())
        except OSError as error:
            raise CommandError(f"{name} cannot be written: {error.strerror}") from error
        self.stdout.write(self.style.SUCCESS(f"Written to {name}. Correct it, then: manage.py load_catalog {name}"))

    def _load(self, plan: Plan, *, dry_run: bool) -> None:
        try:
            with transaction.atomic():
                summary = load_catalog(plan.catalog, keep=True)
                transaction.set_rollback(dry_run)
        except CatalogError as error:
            raise CommandError(f"{error}\nNothing was imported.") from error
        for label in summary.kept:
            self.stdout.write(f"{label} is in the catalog already, with other contents, and stays as it is")
        self.stdout.write(self.style.SUCCESS(_outcome(summary, dry_run=dry_run)))


class Lists(Protocol):
    """What is needed of a client for the Kubernetes API: reading."""

    def items(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every item that GET answers with at the path, page after page."""


def read_cluster(client: Lists, slug: str) -> Found:
    """List the GameServerSets of all namespaces; nothing else is asked of the cluster."""
    try:
        return listed(client.items(LIST_PATH), f"cluster {slug}")
    except ApiError as error:
        raise AdoptionError([f"cluster {slug}: {_refusal(error)}"]) from error
    except ClusterUnavailable as error:
        raise AdoptionError([f"cluster {slug}: {error}"]) from error


def _refusal(error: ApiError) -> str:
    if error.status == 404:
        return "knows no GameServerSets: OpenKruiseGame is not installed there"
    if error.status == 403:
        return (
            "the portal's account may not list GameServerSets. Give it the role aigc-portal-gameserversets of "
            f"deploy/kubernetes/rbac.yaml. The cluster says: {error.message}"
        )
    return str(error)


def _in_cluster(slug: str) -> Found:
    cluster = Cluster.objects.filter(slug=slug).first()
    if cluster is None:
        raise CommandError(f"There is no cluster “{slug}”.")
    if cluster.kind != Cluster.Kind.KUBERNETES:
        raise CommandError(f"“{slug}” is no Kubernetes cluster, so it has no GameServerSets.")
    if problem := config_problem(cluster.kind, cluster.slug, cluster.config):
        raise CommandError(f"“{slug}” cannot be read: {problem}.")
    return read_cluster(cast("KubernetesCluster", get_cluster(cluster)).rest, slug)


def _in_files(names: list[str]) -> list[Found]:
    """Read every file, so that the problems of all of them are named at once."""
    places: list[Found] = []
    problems: list[str] = []
    for name in names:
        try:
            places.append(_in_file(name))
        except AdoptionError as error:
            problems += error.problems
    if problems:
        raise AdoptionError(problems)
    return places


def _in_file(name: str) -> Found:
    shown = "standard input" if name == STANDARD else name
    try:
        data = sys.stdin.buffer.read() if name == STANDARD else Path(name).read_bytes()
        return read_yaml(data.decode(), shown)
    except (OSError, UnicodeDecodeError) as error:
        line, problem = unreadable(error)
        raise AdoptionError([f"{shown}:{line}: {problem}"]) from error


def _labels(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if wrong := [word for word, (key, equals, _) in zip(words, pairs, strict=True) if not key or not equals]:
        raise CommandError(f"--label {wrong[0]}: write it as KEY=VALUE.")
    return {key: value for key, _, value in pairs}


def _lines(plan: Plan) -> Iterator[str]:
    for report in plan.reports:
        yield from _report(report)
    for each in plan.passed_over:
        yield f"Not read: {each}"


def _report(report: Report) -> Iterator[str]:
    yield report.title
    yield f"  becomes {report.version} and GPU class {report.gpu_class}"
    for heading, findings in (("to be decided", report.undecided), ("replaced or left out", report.replaced)):
        if findings:
            yield f"  {heading}:"
            yield from (f"    {each}" for each in findings)


def _outcome(summary: Summary, *, dry_run: bool) -> str:
    if dry_run:
        return f"Would be: {summary}. Nothing was written."
    return f"{summary}. Versions are drafts: decide what is to be decided, then publish them."
