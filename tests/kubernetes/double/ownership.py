"""Server-side apply and the bookkeeping of managedFields that it stands on.

https://kubernetes.io/docs/reference/using-api/server-side-apply/: what a manager applied before and leaves out now is removed,
unless somebody else owns it too; what somebody else owns and holds otherwise is a conflict, unless forced.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.kubernetes.double.clock import now
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.fields import ITEM, Flat, Path, decode, encode, flatten, merge, spoken, without
from tests.kubernetes.double.resources import Document, Resource

Owner = tuple[str, str, str, str]  # manager, operation, subresource, apiVersion


@dataclass
class Ledger:
    """The managedFields of one object, as sets."""

    owned: dict[Owner, set[Path]] = field(default_factory=dict)
    times: dict[Owner, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document) -> "Ledger":
        ledger = cls()
        for entry in document["metadata"].get("managedFields") or []:
            owner = (entry["manager"], entry["operation"], entry.get("subresource", ""), entry["apiVersion"])
            ledger.owned[owner] = set(decode(entry.get("fieldsV1") or {}))
            ledger.times[owner] = entry.get("time", "")
        return ledger

    def written(self) -> list[Document]:
        """Give them back as metadata.managedFields."""
        entries = []
        for (manager, operation, subresource, version), paths in self.owned.items():
            if paths:
                entry = {"manager": manager, "operation": operation, "apiVersion": version}
                entry["time"] = self.times.get((manager, operation, subresource, version)) or now()
                entry |= {"fieldsType": "FieldsV1", "fieldsV1": encode(paths)}
                entries.append(entry | ({"subresource": subresource} if subresource else {}))
        return entries

    def others(self, owner: Owner) -> dict[Owner, set[Path]]:
        return {other: paths for other, paths in self.owned.items() if other != owner}


def record_update(resource: Resource, old: Document | None, new: Document, owner: Owner) -> list[Document]:
    """Give the managedFields after a write that is no apply: its writer owns what it changed."""
    ledger = Ledger.of(old or new)
    status = owner[2] == "status"
    before = flatten(resource.kind, old, only_status=status) if old else {}
    after = flatten(resource.kind, new, only_status=status)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    removed = before.keys() - after.keys()
    contested = {path for path in changed if after[path] is not ITEM}
    for other, paths in ledger.owned.items():
        paths.difference_update(removed if other == owner else removed | contested)
    if changed:
        ledger.owned.setdefault(owner, set()).update(changed)
        ledger.times[owner] = now()
    return ledger.written()


def apply(resource: Resource, live: Document, applied: Document, owner: Owner, *, force: bool) -> tuple[Document, list[Document]]:
    """Give the merged object and its managedFields; 409 for fields that others hold otherwise."""
    status = owner[2] == "status"
    wanted = flatten(resource.kind, applied, only_status=status)
    ledger = Ledger.of(live)
    conflicts = conflicts_of(wanted, flatten(resource.kind, live, only_status=None), ledger.others(owner))
    if conflicts and not force:
        raise refused(conflicts)
    for other, paths in conflicts.items():
        ledger.owned[other] -= paths
    merged = merge(resource.kind, live, {name: value for name, value in applied.items() if name != "status" or status})
    left = ledger.owned.get(owner, set()) - wanted.keys()
    merged = pruned(merged, left, set().union(*ledger.others(owner).values()))
    if ledger.owned.get(owner) != set(wanted):
        ledger.owned[owner], ledger.times[owner] = set(wanted), now()
    return merged, ledger.written()


def conflicts_of(wanted: Flat, held: Flat, others: Mapping[Owner, set[Path]]) -> dict[Owner, set[Path]]:
    differing = {path for path, value in wanted.items() if value is not ITEM and held.get(path, value) != value}
    return {owner: both for owner, paths in others.items() if (both := paths & differing)}


def pruned(document: Any, left: set[Path], elsewhere: set[Path]) -> Document:
    """Remove what its only owner no longer wants: whole items of lists first, as their keys name what is in them."""
    for path in sorted(left - elsewhere, key=len):
        if not is_key(path) and not any(other[: len(path)] == path for other in elsewhere):
            document = without(document, path)
    return document


def is_key(path: Path) -> bool:
    return len(path) > 1 and path[-2].startswith("k:") and path[-1].removeprefix("f:") in json.loads(path[-2][2:])


def refused(conflicts: Mapping[Owner, set[Path]]) -> ApiError:
    told = {spoken_owner(owner): sorted(map(spoken, paths)) for owner, paths in sorted(conflicts.items())}
    pairs = [(owner, path) for owner, paths in told.items() for path in paths]
    if len(pairs) == 1:
        text = f"1 conflict: conflict with {pairs[0][0]}: {pairs[0][1]}"
    else:
        lines = [line for owner, paths in told.items() for line in (f"conflicts with {owner}:", *(f"- {path}" for path in paths))]
        text = f"{len(pairs)} conflicts: " + "\n".join(lines)
    causes = [{"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": path} for owner, path in pairs]
    return ApiError(409, "Conflict", f"Apply failed with {text}", causes=causes)


def spoken_owner(owner: Owner) -> str:
    manager, operation, subresource, version = owner
    text = f'"{manager}"' + (f' with subresource "{subresource}"' if subresource else "")
    return f"{text} using {version}" if operation == "Update" else text
