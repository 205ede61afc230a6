"""The only settings module; environments differ by variables alone (docs/guides/settings.md lists them)."""

from pathlib import Path

import environ
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from aigc_portal.celery import timetable
from aigc_portal.content_policy import directives
from aigc_portal.embedded.layout import addresses, celery_url, layout_of
from aigc_portal.secret_files import own_secret

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env("AIGC_DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
DEBUG = env.bool("AIGC_DEBUG", default=False)
# A key of its own per data directory, so that a fresh clone is safe without configuration.
SECRET_KEY = env("AIGC_SECRET_KEY", default="") or own_secret(DATA_DIR, "django")
# Former keys, which still verify: so that nobody is signed out by a change of the key.
SECRET_KEY_FALLBACKS = env.list("AIGC_SECRET_KEY_FALLBACKS", default=[])
# What encrypts credentials in the database, newest first: the first seals, all open.
ENCRYPTION_KEYS_GIVEN = env.list("AIGC_ENCRYPTION_KEYS", default=[])
ENCRYPTION_KEYS = ENCRYPTION_KEYS_GIVEN or [own_secret(DATA_DIR, "encryption")]

# --- Addresses -------------------------------------------------------------------------------------------------------
PORTAL_ORIGIN = env("AIGC_PORTAL_ORIGIN", default="http://portal.localhost:8000")
# Host (and port) under which every instance has an origin of its own; best another registrable domain than the portal's.
ENGINES_DOMAIN = env("AIGC_ENGINES_DOMAIN", default="engines.localhost:8000")
ENGINES_SCHEME = env("AIGC_ENGINES_SCHEME", default=PORTAL_ORIGIN.split("://", 1)[0])
PORTAL_HOST = PORTAL_ORIGIN.partition("://")[2]
ALLOWED_HOSTS = [PORTAL_HOST.split(":")[0], *env.list("AIGC_EXTRA_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = [PORTAL_ORIGIN]
SITE_NAME = env("AIGC_SITE_NAME", default="AIGC Portal")
# What Prometheus sends as its bearer token to /metrics; without one there are no metrics.
METRICS_TOKEN = env("AIGC_METRICS_TOKEN", default="")

# --- Services --------------------------------------------------------------------------------------------------------
EMBEDDED = addresses(DATA_DIR)
DATABASES = {"default": env.db_url("DATABASE_URL", default=EMBEDDED.database_url)}
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 1,
    "max_size": env.int("AIGC_DB_POOL", default=10),
    "timeout": 10,
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # a pooled connection may not have survived a restart of the database
REDIS_URL = env("REDIS_URL", default=EMBEDDED.redis_url)
# Separates installations and parallel test runs that share one Valkey.
REDIS_PREFIX = env("AIGC_REDIS_PREFIX", default="aigc")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}:cache",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}

INSTALLED_APPS = [
    "aigc_portal",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "tenants.console.apps.ConsoleConfig",  # django.contrib.admin with our own site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "channels",
    "tenants",
    "tenants.sign_in",
    "engines",
    "gateway",
    "billing",
]

MIDDLEWARE = [
    "aigc_portal.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "aigc_portal.content_policy.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.session_age.SessionAgeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.impersonation.middleware.ImpersonationMiddleware",
    "tenants.audit.middleware.OriginMiddleware",
    "tenants.middleware.TimeZoneMiddleware",
    "aigc_portal.api.middleware.ApiMiddleware",
    "aigc_portal.middleware.PortalErrorMiddleware",
]

ROOT_URLCONF = "aigc_portal.urls"
ASGI_APPLICATION = "aigc_portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "tenants.context.portal",
            ],
        },
    },
]

# --- People ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
# The first makes; what another one made is made anew when its owner signs in.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "tenants.sign_in.account_adapter.SignInAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"  # of addresses that people gave; operators vouch for those that they gave
ACCOUNT_CHANGE_EMAIL = True  # one address per person; a new one counts once it is verified
ACCOUNT_EMAIL_NOTIFICATIONS = True  # whoever did not change the password or a second factor should hear of it
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "tenants.sign_in.reset_tokens.ResetTokens"  # noqa: S105 - the name of a class
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
# Counted in Valkey, over all processes; `key` is the account that was named. The client's address is what the gateway saw.
ACCOUNT_RATE_LIMITS = {
    "change_password": "5/m/user",
    "confirm_email": "1/3m/key",
    "login": "60/m/ip",
    "login_failed": "20/m/ip,5/5m/key",
    "manage_email": "10/m/user",
    "reauthenticate": "10/m/user",
    "reset_password": "20/m/ip,5/10m/key",
    "reset_password_from_key": "20/m/ip",
    "signup": "20/m/ip",
}
MFA_ADAPTER = "tenants.sign_in.factor_adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {"authenticate": "tenants.sign_in.forms.SecondFactorForm"}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}
# Whoever has a second factor may change their address too: accounts are never made by whoever names an address.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = PORTAL_ORIGIN.startswith("http://")  # localhost alone, see aigc.E005
USERSESSIONS_ADAPTER = "tenants.sign_in.session_adapter.SessionAdapter"
SOCIALACCOUNT_ADAPTER = "tenants.sign_in.provider_adapter.ProviderAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
SOCIALACCOUNT_STORE_TOKENS = False
# Providers of OpenID Connect: a YAML or JSON file, or JSON itself (docs/guides/sign-in.md).
OIDC_PROVIDERS = env("AIGC_OIDC_PROVIDERS", default="")
# Whether passwords and passkeys of the portal's own open it; operators' always do.
LOCAL_SIGN_IN = env.bool("AIGC_LOCAL_SIGN_IN", default=True)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
INVITATION_DAYS = env.int("AIGC_INVITATION_DAYS", default=7)
# Mails that a tenant may send to people who are no members yet.
INVITATIONS_PER_DAY = env.int("AIGC_INVITATIONS_PER_DAY", default=100)
# How long a tenant that is to be deleted can be taken back.
TENANT_GRACE_DAYS = env.int("AIGC_TENANT_GRACE_DAYS", default=30)

# --- Notifications ---------------------------------------------------------------------------------------------------
_MAIL = env.email_url("AIGC_EMAIL_URL", default="consolemail://")
EMAIL_BACKEND = _MAIL["EMAIL_BACKEND"]
EMAIL_HOST = _MAIL["EMAIL_HOST"] or "localhost"
EMAIL_PORT = _MAIL["EMAIL_PORT"] or 25
EMAIL_HOST_USER = _MAIL["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _MAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = f"/{_MAIL['EMAIL_FILE_PATH']}"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env("AIGC_EMAIL_FROM", default=f"{SITE_NAME} <noreply@{PORTAL_HOST.split(':')[0]}>")
# Networks that webhooks may reach although they are not public; this machine, for a portal that is on it alone.
WEBHOOK_NETWORKS = env.list(
    "AIGC_WEBHOOK_NETWORKS", default=["127.0.0.0/8", "::1/128"] if PORTAL_ORIGIN.startswith("http://") else []
)
NOTIFICATION_DAYS = env.int("AIGC_NOTIFICATION_DAYS", default=90)

# --- Audit log and operators -------------------------------------------------------------------------------------------
AUDIT_DAYS = env.int("AIGC_AUDIT_DAYS", default=400)
# Off for a portal on this machine alone, where everybody knows the demo's passwords anyway.
REQUIRE_OPERATOR_MFA = env.bool("AIGC_REQUIRE_OPERATOR_MFA", default=PORTAL_ORIGIN.startswith("https://"))

# --- API -------------------------------------------------------------------------------------------------------------
# For how long an access token may live, in days.
ACCESS_TOKEN_DAYS = env.int("AIGC_ACCESS_TOKEN_DAYS", default=366)
# Requests of one user to the API within a minute, whichever of their tokens they use.
API_REQUESTS_PER_MINUTE = env.int("AIGC_API_REQUESTS_PER_MINUTE", default=600)

# --- Cookies and headers: `__Host-` names cannot be forged by a sister host; browsers accept them on *.localhost ------
SESSION_COOKIE_NAME = "__Host-portal"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_SAMESITE = "Lax"
# For how long somebody stays signed in who does nothing, and whatever they do: tenants/session_age.py.
SESSION_IDLE_HOURS = env.int("AIGC_SESSION_IDLE_HOURS", default=7 * 24)
SESSION_LONGEST_HOURS = env.int("AIGC_SESSION_LONGEST_HOURS", default=30 * 24)
SESSION_COOKIE_AGE = SESSION_IDLE_HOURS * 3600
CSRF_USE_SESSIONS = True
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_NAME = "__Host-language"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SECURE = True
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# Not `no-referrer`: forms would then come from the origin `null`, and be refused as forged. What must not even be told to the
# portal's own next page, such as a redirect with a code, says so itself.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# The gateway has TLS; whoever reaches the portal past it, without TLS, is sent to it. Probes from inside are answered.
SECURE_SSL_REDIRECT = PORTAL_ORIGIN.startswith("https://")
SECURE_SSL_HOST = PORTAL_HOST
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("AIGC_HSTS_SECONDS", default=0 if PORTAL_ORIGIN.startswith("http://") else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_SECONDS > 0
SECURE_HSTS_PRELOAD = env.bool("AIGC_HSTS_PRELOAD", default=SECURE_HSTS_SECONDS > 0)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": directives(portal=PORTAL_ORIGIN, static_url="/static/", engines=f"{ENGINES_SCHEME}://*.{ENGINES_DOMAIN}"),
}

# What one request may make the portal hold in memory. Files of the file room are streamed past these, piece by piece.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 10
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20

# --- Database, static files, languages ---------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Where `manage.py collectstatic` puts compressed, hashed files for production; unset, files are served from where they lie.
STATIC_ROOT = env("AIGC_STATIC_ROOT", default=None)
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = STATIC_ROOT is None  # a file that changes under a running demo is served as it is now
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if STATIC_ROOT is None
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "aigc_portal.formats"
USE_TZ = True
TIME_ZONE = "UTC"

# --- Tasks and live messages ---------------------------------------------------------------------------------------------
CELERY_BROKER_URL = celery_url(REDIS_URL)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "engines.*": {"queue": "provision"},
    "billing.*": {"queue": "billing"},
    # Served by workers of its own: other people's slow mail servers and webhooks keep nobody waiting but each other.
    "tenants.tasks.deliver": {"queue": "deliveries"},
}
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900, "global_keyprefix": f"{REDIS_PREFIX}:celery:"}
CELERY_TASK_TIME_LIMIT = 300
CELERY_DB_REUSE_MAX = 2**60  # tasks after which Celery closes the process's database pool: never, see aigc_portal.celery.Task
# How often everything that is not at rest is looked at, whatever hints were lost.
SWEEP_SECONDS = env.float("AIGC_SWEEP_SECONDS", default=30)
CELERY_BEAT_SCHEDULE = timetable(sweep_seconds=SWEEP_SECONDS)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"{REDIS_PREFIX}:live"},
    }
}

# --- Engines -------------------------------------------------------------------------------------------------------------
# Ports of local engines; the gateway dials nothing else in local mode.
LOCAL_PORTS = range(env.int("AIGC_LOCAL_PORT_FIRST", default=20_000), env.int("AIGC_LOCAL_PORT_LAST", default=20_999) + 1)
STOP_GRACE_SECONDS = env.int("AIGC_STOP_GRACE_SECONDS", default=20)
TRASH_DAYS = env.int("AIGC_TRASH_DAYS", default=7)
# The largest file that people may upload into their data.
UPLOAD_LIMIT_MIB = env.int("AIGC_UPLOAD_LIMIT_MIB", default=51_200)

# --- Gateway -------------------------------------------------------------------------------------------------------------
GATEWAY_SECRET = env("AIGC_GATEWAY_SECRET", default="") or own_secret(DATA_DIR, "gateway")
# "kid:key" pairs, newest first: the first signs, all verify.
GATEWAY_KEYS = env.list("AIGC_GATEWAY_KEYS", default=[]) or ["1:" + own_secret(DATA_DIR, "gateway-token")]
# The largest request to the portal itself; files come in pieces of 8 MiB. Engines take what they like.
BODY_LIMIT_MIB = env.int("AIGC_BODY_LIMIT_MIB", default=16)
GATEWAY_BIND = env.list("AIGC_GATEWAY_BIND", default=["127.0.0.1", "::1"])
# Networks of load balancers before the gateway: only they may say whom they pass on.
GATEWAY_TRUSTED_PROXIES = env.list("AIGC_TRUSTED_PROXIES", default=[])
# PEM files; needed when the portal's origin is https.
GATEWAY_CERTIFICATE = env("AIGC_TLS_CERTIFICATE", default="")
GATEWAY_CERTIFICATE_KEY = env("AIGC_TLS_KEY", default="")
# Regular expressions for host:port of engines that do not run on this machine, by spaces; nothing else is ever dialled.
GATEWAY_UPSTREAM_PATTERNS = env("AIGC_GATEWAY_UPSTREAM_PATTERNS", default="").split()
# A socket costs less for each request than TCP does.
GWAUTH_BIND = env("AIGC_GWAUTH_BIND", default=f"unix:{layout_of(DATA_DIR).gwauth_socket}")
PORTAL_BIND = env("AIGC_PORTAL_BIND", default="127.0.0.1:8001")

# --- Money ---------------------------------------------------------------------------------------------------------------
DEFAULT_CURRENCY = env("AIGC_CURRENCY", default="USD")
# From which moment of a run on its time is billed: "ready", "started" (its process runs) or "scheduled" (its GPU is taken).
# A run that never got ready is free.
BILL_FROM = env("AIGC_BILL_FROM", default="ready")
# How long after its end a month stays open for what comes late.
CLOSE_AFTER_HOURS = env.int("AIGC_CLOSE_AFTER_HOURS", default=72)
# Where files of costs are until they are fetched: workers write them, web servers send them, so that both need the same disk.
EXPORTS_DIR = Path(env("AIGC_EXPORTS_DIR", default=str(DATA_DIR / "exports")))
EXPORT_DAYS = env.int("AIGC_EXPORT_DAYS", default=7)
# Who is asked before anything runs (see engines.admission).
RUN_CHECKS = ["billing.budgets.admission.require_within_budgets"]

_TO_ROOT: dict[str, object] = {"handlers": [], "propagate": True}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "aigc_portal.scrubbing.ScrubbingFormatter", "format": "%(levelname)s %(name)s: %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env("AIGC_LOG_LEVEL", default="INFO")},
    "loggers": {
        # Others' handlers would write past the formatter.
        "django": _TO_ROOT,
        "django.server": _TO_ROOT,
        "uvicorn": _TO_ROOT,
        "uvicorn.access": _TO_ROOT,
        "uvicorn.error": _TO_ROOT,
        "django.channels.server": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "aigc_portal.scrubbing.ReportFilter"

UNFOLD = {
    "SITE_TITLE": SITE_NAME,
    "SITE_HEADER": SITE_NAME,
    "SITE_SUBHEADER": _("Operators"),
    "SITE_SYMBOL": "memory",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("icons/portal.svg")},
    ],
    "COLORS": lambda _request: {},  # operators_theme.css has them: the theme would write an inline style
    "STYLES": [lambda _request: static("css/operators_theme.css"), lambda _request: static("css/operators.css")],
    "SCRIPTS": [lambda _request: static("js/operators_alpine.js"), lambda _request: static("js/operators.js")],
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "engines.admin.dashboard.dashboard",
    "ENVIRONMENT": "aigc_portal.operators.environment",
    "SIDEBAR": {"navigation": "aigc_portal.operators.navigation"},
}
