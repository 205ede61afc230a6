"""The manifests that run the portal itself, and the guide to it, against what the code says."""

import re
from dataclasses import fields
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from engines.clusters.kubernetes.config import KubernetesConfig

ROOT = Path(__file__).parents[2]
PORTAL = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "portal.yaml").read_text())["items"]
GUIDE = (ROOT / "docs" / "kubernetes.md").read_text()


@pytest.mark.parametrize("document", PORTAL, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_every_manifest_is_legal(document):
    for version in ("1.29", "1.36"):
        kubernetes_validate.validate(document, version, strict=True)


def test_every_variable_is_a_setting():
    config = next(each for each in PORTAL if each["kind"] == "ConfigMap")
    known = (ROOT / "docs" / "guides" / "settings.md").read_text()
    assert [name for name in config["data"] if f"`{name}`" not in known] == []


def test_every_pod_is_restricted():
    for each in PORTAL:
        if each["kind"] != "Deployment":
            continue
        spec = each["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_guide_names_every_key_of_the_configuration():
    told = set(re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| `"))))
    keys = {each.name for each in fields(KubernetesConfig)} - {"slug", "kubeconfig_content"}
    assert keys - told == set()


def test_the_guide_s_patterns_let_through_engines_alone():
    patterns = re.findall(r"AIGC_GATEWAY_UPSTREAM_PATTERNS='([^']+)'", GUIDE)
    assert len(patterns) == 2
    assert re.fullmatch(patterns[0], "i-7f3k2qxbcd.aigc-t-acme.svc.cluster.local:80")
    assert not re.fullmatch(patterns[0], "i-7f3k2qxbcd.kube-system.svc.cluster.local:80")
    assert re.fullmatch(patterns[1], "10.96.4.200:80")
    assert not re.fullmatch(patterns[1], "10.96.4.200:443")
