"""Instances as the API shows them."""

import zlib
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from aigc_portal.api.schemas import Output, Person
from engines.addresses import engine_origin
from engines.models import Instance
from engines.queries.idle import Answer
from engines.queries.instances import InstanceRow
from engines.reasons import EXPLANATIONS, Reason
from tenants.models import Membership, User


class EngineOut(Output):
    """Which engine, in which version."""

    slug: str
    name: str
    version: str


class Named(Output):
    """Something with a slug for machines and a name for people."""

    slug: str
    name: str


class VolumeRef(Output):
    """The data of an instance."""

    id: str
    name: str
    size_gib: int


class ReasonOut(Output):
    """Why something is so."""

    code: str = Field(description="From a closed vocabulary.")
    sentence: str = Field(description="For people, in the language of Accept-Language.")
    fixer: str = Field(description="Who can do something about it: nobody, artist, tenant_admin or operator.")
    failure: bool
    evidence: str = Field(description="The raw text behind it; empty for who may not operate.")


class StayOut(Output):
    """Why a running instance is on, and when it stops."""

    why: str
    sentence: str
    since: datetime | None
    stops_at: datetime | None = Field(description="When it is released if nobody uses it; null while that is not known.")
    kept_until: datetime | None
    when_free: bool = Field(description="It is released as soon as its queue is empty.")
    releasing: bool = Field(description="Its release has begun; using it calls that off.")
    looked_at: datetime | None


class InstanceOut(Output):
    """An instance, as the token's user sees it."""

    id: str
    name: str
    tenant: str
    owner: Person
    engine: EngineOut
    gpu_class: Named
    cluster: Named
    volume: VolumeRef
    project: str = Field(description="What its costs are for; empty: nothing in particular.")
    state: str = Field(description="What was last seen; `deleting` is the last that can be.")
    desired_state: str = Field(description="What was asked for: running, stopped or deleted.")
    status: str = Field(description="Both in one word, for people.")
    group: str = Field(description="running, coming, paused or failed.")
    queue_position: int | None = Field(
        description="Its place in line, 1 for the next, where one instance is answered; null in lists, and unless it waits."
    )
    reason: ReasonOut | None = Field(description="Why it is in its state.")
    stopped_because: ReasonOut | None = Field(description="Why it was released, if nobody asked for that.")
    stay: StayOut | None = Field(description="Of a running one: why it is still on, and when it stops.")
    generation: int = Field(description="Counts what was asked of it.")
    created_at: datetime
    state_since: datetime
    ready_at: datetime | None
    url: str | None = Field(description="Its own page, for a browser; null for who may not visit.")
    may_operate: bool
    may_visit: bool
    offers: list[str] = Field(description="What makes sense now and is allowed: open, pause, resume, retry, cancel, …")


def shown(rows: Sequence[InstanceRow]) -> list[InstanceOut]:
    """Return instances read with `with_details`; no query."""
    return [show(row) for row in rows]


def show(row: InstanceRow) -> InstanceOut:
    """Return one of them."""
    instance, rights = row.instance, row.rights
    face, version = row.face, instance.engine_version
    return InstanceOut(
        id=instance.slug,
        name=instance.name,
        tenant=instance.tenant.slug,
        owner=person(instance.owner),
        engine=EngineOut(slug=version.engine.slug, name=version.engine.name, version=version.version),
        gpu_class=Named(slug=instance.gpu_class.slug, name=instance.gpu_class.name),
        cluster=Named(slug=instance.cluster.slug, name=instance.cluster.name),
        volume=VolumeRef(id=instance.volume.slug, name=instance.volume.name, size_gib=instance.volume.size_gib),
        project=instance.tag,
        state=instance.state,
        desired_state=instance.desired_state,
        status=str(face.word),
        group=face.group,
        queue_position=None,
        reason=_reason(instance.reason, instance.evidence if rights.operate else ""),
        stopped_because=_reason(instance.released_because or "", ""),
        stay=_stay(row.stay),
        generation=instance.generation,
        created_at=instance.created_at,
        state_since=instance.state_since,
        ready_at=instance.ready_at,
        url=f"{engine_origin(instance.slug)}/" if rights.visit else None,
        may_operate=rights.operate,
        may_visit=rights.visit,
        offers=sorted(row.offers),
    )


def version_of(instance: Instance) -> str:
    """Name what people have asked of it: all that If-Match compares. What the cluster did meanwhile changes nothing."""
    chosen = f"{instance.name}\n{instance.owner_id}\n{instance.gpu_class_id}\n{instance.tag}"
    return f"{instance.generation}-{zlib.crc32(chosen.encode()):08x}"


def person(user: User) -> Person:
    """Return somebody as colleagues know them."""
    return Person(username=user.username, name=user.get_full_name())


def owner_filter(membership: Membership, owner: str) -> dict[str, object]:
    """Return the filter by owner; "me" is whoever asks."""
    return {"owner_id": membership.user_id} if owner == "me" else {"owner__username": owner}


def _reason(code: str, evidence: str) -> ReasonOut | None:
    if not code:
        return None
    explanation = EXPLANATIONS[Reason(code)]
    return ReasonOut(
        code=code,
        sentence=str(explanation.sentence),
        fixer=explanation.fixer,
        failure=explanation.failure,
        evidence=evidence,
    )


def _stay(answer: Answer | None) -> StayOut | None:
    if answer is None:
        return None
    return StayOut(
        why=answer.why,
        sentence=str(answer.sentence),
        since=answer.since,
        stops_at=answer.stops_at,
        kept_until=answer.kept_until,
        when_free=answer.when_free,
        releasing=answer.releasing,
        looked_at=answer.looked_at,
    )
