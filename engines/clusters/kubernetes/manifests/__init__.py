"""What the portal writes to a cluster: one pure maker per kind. Same settings and spec in, same document out."""

from engines.clusters.kubernetes.labels import label_value
from engines.clusters.kubernetes.manifests.files import files_pod, files_service
from engines.clusters.kubernetes.manifests.resources import claim_template, claim_template_name
from engines.clusters.kubernetes.manifests.tenant import tenant_objects
from engines.clusters.kubernetes.manifests.volume import claim
from engines.clusters.kubernetes.manifests.workload import service, spec_hash, statefulset

__all__ = [
    "claim",
    "claim_template",
    "claim_template_name",
    "files_pod",
    "files_service",
    "label_value",
    "service",
    "spec_hash",
    "statefulset",
    "tenant_objects",
]
