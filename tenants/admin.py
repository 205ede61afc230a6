"""People, for operators; their tenants are in tenants.team.admin."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

import tenants.audit.admin
import tenants.notifications.admin  # noqa: F401 - both register their tables, as Django looks for admins here
from tenants.console.audited import AuditedAdmin
from tenants.impersonation.admin import LookingAdmin
from tenants.models import User
from tenants.rights import announce_rights_on_commit
from tenants.sign_in.addresses import vouch_for
from tenants.team.admin import MembershipInline

# Addresses and second factors are part of the account page; allauth's own admin has another look, and would show secrets.
admin.site.unregister([Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession])


RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def _may_touch(request: HttpRequest, person: User | None) -> bool:
    """Whoever can set an operator's password can become them: that is for superusers, and for oneself."""
    return person is None or not person.is_staff or request.user.is_superuser or person == request.user


class RightsAdmin(AuditedAdmin):
    """A page on which rights are given or taken: whatever is saved or removed counts at once."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        announce_rights_on_commit()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        announce_rights_on_commit()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        announce_rights_on_commit()


@admin.register(User)
class UserAdmin(DjangoUserAdmin, LookingAdmin, RightsAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "full_name", "operator", "is_active", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username", "email", "first_name", "last_name")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": (("first_name", "last_name"), "email", ("time_zone", "language"))}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions"), "classes": ("tab",)}),
        (_("Dates"), {"fields": ("last_login", "date_joined"), "classes": ("tab",)}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("last_login", "date_joined")
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Who is an operator, and with which rights, superusers alone decide: nobody gives themselves more."""
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or "email" in form.changed_data:
            vouch_for(obj)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        answer = super().user_change_password(request, id, form_url)
        announce_rights_on_commit()
        return answer

    @display(description=_("operator"), ordering="is_staff", label="primary")
    def operator(self, user: User) -> str | None:
        return str(_("operator")) if user.is_staff else None

    @display(description=_("name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name()


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):
    pass
