"""The operators' groups: what everybody who looks after the portal, and who helps people, may do."""

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet

OPERATORS = "Operators"
SUPPORT = "Support"
_OURS = ("tenants", "engines", "gateway", "billing")
_LOOKING = ("use_console", "look_as")


@transaction.atomic
def make_groups() -> list[Group]:
    """Give both groups exactly their permissions, those of new tables included; people and other groups stay as they are."""
    wanted = {OPERATORS: _everything(), SUPPORT: _support()}
    groups = []
    for name, permissions in wanted.items():
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.set(permissions)
        groups.append(group)
    return groups


def _everything() -> QuerySet[Permission]:
    """All that can be done with the portal's own tables, and looking at groups: who is in which, superusers decide."""
    groups = Q(content_type__app_label="auth", codename="view_group")
    return Permission.objects.filter(Q(content_type__app_label__in=_OURS) | groups)


def _support() -> QuerySet[Permission]:
    return Permission.objects.filter(content_type__app_label__in=_OURS).filter(
        Q(codename__startswith="view_") | Q(codename__in=_LOOKING)
    )
