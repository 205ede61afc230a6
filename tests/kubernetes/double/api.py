"""The verbs of the API on stored objects; knows nothing of HTTP. Everything runs on the double's one event loop."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tests.kubernetes.double import admission, validation
from tests.kubernetes.double.clock import later, now
from tests.kubernetes.double.defaults import complete, random_suffix
from tests.kubernetes.double.errors import (
    already_exists,
    bad_request,
    conflict,
    immutable,
    invalid,
    not_found,
    precondition_failed,
)
from tests.kubernetes.double.ownership import apply, record_update
from tests.kubernetes.double.patches import clone
from tests.kubernetes.double.resources import NAMESPACES, PODS, SERVICES, Document, Resource
from tests.kubernetes.double.store import Store, Stored

KEPT_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace", "name")


@dataclass(frozen=True)
class Writer:
    """Who writes and how: the field manager, and whether it is only a rehearsal."""

    manager: str
    dry_run: bool = False
    strict: bool = False
    force: bool = False
    internal: bool = False  # the double's own controllers: no validation, no bookkeeping of fields


CONTROLLER = Writer("kube-controller-manager", internal=True)


class Api:
    """Create, read, change and delete, with the server's checks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.on_service: Callable[[Document], None] = lambda _: None  # gives a new Service its address

    # reading

    def get(self, resource: Resource, namespace: str, name: str) -> Stored:
        found = self.store.get(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    # writing

    def create(
        self, resource: Resource, namespace: str, document: Document, writer: Writer, *, applied: bool = False
    ) -> Document:
        """Store a new object, or say why not."""
        document = self.prepared(resource, namespace, document)
        metadata = document["metadata"]
        if writer.strict:
            validation.strict(document)
        admission.check_namespace(self.store, resource, document)
        admission.mutate(self.store, resource, document)
        complete(document)
        validation.on_create(resource, document)
        admission.validate(self.store, resource, document)
        if self.store.get(resource, namespace, metadata["name"]) is not None:
            raise already_exists(resource, metadata["name"])
        if resource is SERVICES:
            self.on_service(document)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()} | (
            {"generation": 1} if resource.counts_generations else {}
        )
        metadata.pop("resourceVersion", None)
        if not writer.internal and not applied:
            owner = (writer.manager, "Update", "", resource.api_version)
            metadata["managedFields"] = record_update(resource, None, document, owner)
        return document if writer.dry_run else self.store.put(resource, document)

    def prepared(self, resource: Resource, namespace: str, document: Document) -> Document:
        """Copy what came in, and check that it is for this path."""
        document = clone(document)
        metadata = document.setdefault("metadata", {})
        if document.setdefault("kind", resource.kind) != resource.kind:
            given, wanted = document.get("apiVersion"), resource.api_version
            raise bad_request(f"the API version in the data ({given}) does not match the expected API version ({wanted})")
        document["apiVersion"] = resource.api_version
        if namespace and metadata.setdefault("namespace", namespace) != namespace:
            given = metadata["namespace"]
            raise bad_request(f"the namespace of the provided object does not match the namespace sent on the request ({given})")
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise invalid(
                    resource, "", [("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")]
                )
            metadata["name"] = metadata["generateName"] + random_suffix()
        return document

    def change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        edit: Callable[[Document], Document],
        writer: Writer,
        subresource: str = "",
    ) -> Document:
        """Put what `edit` makes of a copy of the present object; nothing is written if that changes nothing."""
        old = self.get(resource, namespace, name)
        new = edit(clone(old))
        self.check_preconditions(resource, old, new)
        return self.commit(resource, old, new, writer, subresource)

    def check_preconditions(self, resource: Resource, old: Stored, new: Document) -> None:
        metadata, name = new.get("metadata") or {}, old["metadata"]["name"]
        if metadata.get("name", name) != name:
            raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
        if metadata.get("uid") not in (None, "", old["metadata"]["uid"]):
            raise invalid(resource, name, [immutable("metadata.uid", f'"{metadata["uid"]}"')])
        if metadata.get("resourceVersion") not in (None, "", "0", old["metadata"]["resourceVersion"]):
            raise conflict(resource, name)

    def commit(self, resource: Resource, old: Stored, new: Document, writer: Writer, subresource: str) -> Document:
        """Check a new state against the old, and store it if it differs."""
        new = self.only_its_part(old, new, subresource)
        if not writer.internal:
            if writer.strict:
                validation.strict(new)
            complete(new)
            validation.on_update(resource, old, new)
        if resource.counts_generations and contents(old) != contents(new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if not writer.internal and (
            fields := record_update(resource, old, new, (writer.manager, "Update", subresource, resource.api_version))
        ):
            new["metadata"]["managedFields"] = fields
        return self.written(resource, old, new, writer)

    def written(self, resource: Resource, old: Stored, new: Document, writer: Writer) -> Document:
        if old == new or writer.dry_run:
            return new if writer.dry_run else old
        if "deletionTimestamp" in new["metadata"] and not holds_on(resource, new):
            return self.store.remove(resource, new)
        return self.store.put(resource, new)

    def only_its_part(self, old: Stored, new: Document, subresource: str) -> Document:
        """Keep what the path that was used cannot change."""
        new.setdefault("metadata", {})
        new |= {"kind": old["kind"], "apiVersion": old["apiVersion"]}
        for name in (*KEPT_METADATA, "resourceVersion", "managedFields"):
            new["metadata"].pop(name, None)
            if name in old["metadata"]:
                new["metadata"][name] = old["metadata"][name]
        if subresource == "status":
            return {**old, "status": new.get("status", {}), "metadata": dict(old["metadata"])}
        if "status" in old:
            new["status"] = old["status"]
        return new

    def apply(
        self, resource: Resource, namespace: str, document: Document, writer: Writer, subresource: str = ""
    ) -> tuple[int, Document]:
        """Server-side apply: 201 and a new object, or 200 and the present one with this document laid over it."""
        name = document["metadata"]["name"]
        owner = (writer.manager, "Apply", subresource, resource.api_version)
        old = self.store.get(resource, namespace, name)
        if old is None:
            if uid := document["metadata"].get("uid"):
                raise conflict(
                    resource, name, f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                )
            shell = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
            _, fields = apply(resource, shell, document, owner, force=writer.force)
            fresh = {**document, "metadata": {**document["metadata"], "managedFields": fields}}
            return 201, self.create(resource, namespace, fresh, writer, applied=True)
        self.check_preconditions(resource, old, document)
        merged, fields = apply(resource, old, document, owner, force=writer.force)
        new = self.only_its_part(old, clone(merged), subresource)
        if writer.strict:
            validation.strict(document)
        complete(new)
        validation.on_update(resource, old, new)
        if resource.counts_generations and contents(old) != contents(new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        new["metadata"]["managedFields"] = fields
        return 200, self.written(resource, old, new, writer)

    # deleting

    def delete(self, resource: Resource, namespace: str, name: str, options: Document, *, dry_run: bool = False) -> Document:
        """Begin the end of an object, or end it at once; gives the object while it is still there, else a Status."""
        old = self.get(resource, namespace, name)
        self.check_delete(resource, old, options)
        if dry_run:
            return old
        new = clone(old)
        metadata = new["metadata"]
        grace = grace_of(resource, new, options)
        metadata["finalizers"] = [*metadata.get("finalizers", []), *propagation_finalizers(options, metadata)]
        if not metadata["finalizers"]:
            del metadata["finalizers"]
        if resource is NAMESPACES:
            new["status"]["phase"] = "Terminating"
        shorter = grace < metadata.get("deletionGracePeriodSeconds", float("inf"))
        if "deletionTimestamp" not in metadata or shorter:
            self.mark(resource, new, grace)
        if holds_on(resource, new):
            return self.store.put(resource, new) if new != old else old
        if resource is not PODS:
            self.store.remove(resource, new)
            return success(resource, old)
        # A real server writes the mark and removes in two steps, and watches see both.
        return self.store.remove(resource, self.store.put(resource, new))

    def mark(self, resource: Resource, new: Document, grace: int) -> None:
        metadata = new["metadata"]
        if resource.counts_generations and "deletionTimestamp" not in metadata:
            metadata["generation"] = metadata.get("generation", 0) + 1
        metadata |= {"deletionTimestamp": later(grace), "deletionGracePeriodSeconds": grace}

    def check_delete(self, resource: Resource, old: Stored, options: Document) -> None:
        asked, metadata = options.get("preconditions") or {}, old["metadata"]
        if asked.get("uid") not in (None, metadata["uid"]):
            told = f"the UID in the precondition ({asked['uid']}) does not match the UID in record ({metadata['uid']}). "
            raise precondition_failed(resource, metadata["name"], told + "The object might have been deleted and then recreated")
        if asked.get("resourceVersion") not in (None, metadata["resourceVersion"]):
            told = f"the ResourceVersion in the precondition ({asked['resourceVersion']}) does not match the ResourceVersion in "
            told += f"record ({metadata['resourceVersion']}). The object might have been modified"
            raise precondition_failed(resource, metadata["name"], told)


def contents(document: Document) -> Document:
    """What a generation counts changes of."""
    return {name: value for name, value in document.items() if name not in ("metadata", "status", "kind", "apiVersion")}


def holds_on(resource: Resource, document: Document) -> bool:
    """Tell whether an object that was deleted is still there: for its finalizers, its contents or its time to end."""
    metadata = document["metadata"]
    if metadata.get("finalizers"):
        return True
    if resource is NAMESPACES:
        return bool((document.get("spec") or {}).get("finalizers"))
    return resource is PODS and metadata.get("deletionGracePeriodSeconds", 0) > 0


def grace_of(resource: Resource, document: Document, options: Document) -> int:
    """How long the object has to end: a Pod that no kubelet has, or that has ended, needs no time."""
    if resource is not PODS or not document["spec"].get("nodeName") or document["status"].get("phase") in ("Failed", "Succeeded"):
        return 0
    asked = options.get("gracePeriodSeconds")
    grace = document["spec"]["terminationGracePeriodSeconds"] if asked is None else asked
    return max(int(grace), 1) if grace < 0 else int(grace)


def propagation_finalizers(options: Document, metadata: Document) -> list[str]:
    wanted = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(options.get("propagationPolicy") or "")
    return [wanted] if wanted and wanted not in metadata.get("finalizers", []) else []


def success(resource: Resource, document: Document) -> Document:
    metadata = document["metadata"]
    about = {"name": metadata["name"]} | ({"group": resource.group} if resource.group else {})
    about |= {"kind": resource.plural, "uid": metadata["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about}
