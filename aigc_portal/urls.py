"""The map of the portal's own host."""

from django.contrib import admin
from django.urls import include, path

from aigc_portal import health
from aigc_portal.api import assembly as api
from tenants import views as tenant_views

urlpatterns = [
    path("", tenant_views.home, name="home"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.live, name="live"),
    path("readyz", health.ready, name="ready"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include(api.urls())),
    path("gw/", include("gateway.urls")),
    path("looking/", include("tenants.impersonation.urls")),
    path("i18n/setlang/", tenant_views.choose_language, name="set_language"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("<slug:tenant_slug>/team/", include("tenants.team.urls")),
    path("<slug:tenant_slug>/notifications/", include("tenants.notifications.urls")),
    path("<slug:tenant_slug>/costs/", include("billing.urls")),
    path("<slug:tenant_slug>/api/", include("gateway.api_tokens.urls")),
    path("<slug:tenant_slug>/", include("engines.urls")),
]
