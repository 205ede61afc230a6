"""The map of the portal's own host."""

from django.contrib import admin
from django.urls import include, path

from aigc_portal import health, tenant_archive
from aigc_portal.api import assembly as api
from tenants import views as tenant_views

urlpatterns = [
    path("", tenant_views.home, name="home"),
    path("accounts/", include("tenants.sign_in.account_urls")),
    path("accounts/", include("allauth.urls")),
    path(
        "admin/tenants/tenant/<int:pk>/export/",
        admin.site.admin_view(tenant_archive.export_for_operator),
        name="operator_tenant_export",
    ),
    path("admin/", admin.site.urls),
    path("favicon.ico", tenant_views.favicon, name="favicon"),
    path("healthz", health.live, name="live"),
    path("readyz", health.ready, name="ready"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include(api.urls())),
    path("gw/", include("gateway.urls")),
    path("looking/", include("tenants.impersonation.urls")),
    path("i18n/setlang/", tenant_views.choose_language, name="set_language"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("invitations/", include("tenants.invitations.urls")),
    path("<slug:tenant_slug>/team/settings/export/", tenant_archive.export, name="tenant_settings_export"),
    path("<slug:tenant_slug>/team/", include("tenants.team.urls")),
    path("<slug:tenant_slug>/notifications/", include("tenants.notifications.urls")),
    path("<slug:tenant_slug>/costs/", include("billing.urls")),
    path("<slug:tenant_slug>/api/", include("gateway.api_tokens.urls")),
    path("<slug:tenant_slug>/", include("engines.urls")),
]
