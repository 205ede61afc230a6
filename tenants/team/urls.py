"""Addresses below /<tenant>/team/."""

from django.urls import include, path

from tenants.team.views import invitations, members, settings

urlpatterns = [
    path("", members.index, name="team"),
    path("tokens/", include("tenants.access_tokens.urls")),
    path("audit/", include("tenants.audit.urls")),
    path("sign-in/", include("tenants.sign_in.team_urls")),
    path("members/<int:pk>/role/", members.role, name="team_member_role"),
    path("members/<int:pk>/remove/", members.remove, name="team_member_remove"),
    path("leave/", members.leave, name="team_leave"),
    path("invite/", invitations.invite, name="team_invite"),
    path("invitations/<slug:slug>/resend/", invitations.resend, name="team_invitation_resend"),
    path("invitations/<slug:slug>/revoke/", invitations.revoke, name="team_invitation_revoke"),
    path("settings/", settings.index, name="tenant_settings"),
    path("settings/delete/", settings.delete, name="tenant_settings_delete"),
    path("settings/keep/", settings.keep, name="tenant_settings_keep"),
]
