"""Books to measure on: made in SQL, always the same. 50 tenants, 2,000 people, 2,600 instances of eight GPU classes, one year.

Each instance works on two of three days, eight hours of each: about five million charges. The statements go past triggers and
foreign keys (`session_replication_role`), which would take longer than all measurements.
"""

from django.db import connection

TENANTS, PEOPLE, INSTANCES, CLASSES, DAYS = 50, 2_000, 2_600, 8, 365
FIRST_DAY = "2025-11-01"

ACCOUNTS = f"""
INSERT INTO billing_billingaccount (tenant_id) SELECT id FROM tenants_tenant;
INSERT INTO billing_billingterms (account_id, time_zone, currency) SELECT id, 'UTC', 'USD' FROM tenants_tenant;
INSERT INTO billing_billingperiod
    (tenant_id, month, starts_at, ends_at, time_zone, currency, status, digest, charge_count, amount, list_amount)
SELECT tenant.id, month::date, month, month + interval '1 month', 'UTC', 'USD', 'open', '', 0, 0, 0
FROM tenants_tenant AS tenant, generate_series(timestamptz '{FIRST_DAY}', '2026-11-01', interval '1 month') AS month;
"""
PRICES = f"""
INSERT INTO billing_price (gpu_class_id, storage_class, currency, per_hour, list_per_hour, starts_at, created_at)
SELECT id, '', 'USD', (ARRAY[0.35, 0.80, 1.20, 1.50, 2.50, 3.20, 4.10, 0.50])[id],
    (ARRAY[0.40, 0.90, 1.30, 1.70, 2.80, 3.50, 4.50, 0.60])[id], '{FIRST_DAY}', now()
FROM generate_series(1, {CLASSES}) id;
"""
CHARGES = f"""
INSERT INTO billing_charge
    (line_key, revision, kind, category, tenant_id, period_id, is_correction, day, owner_id, instance_id, resource_name, run_id,
     gpu_class_id, storage_class, tag, price_id, currency, starts_at, ends_at, seconds, quantity_milli, per_hour, list_per_hour,
     amount, list_amount, reason, posted_at)
SELECT md5(n || '|' || worked.starts_at)::uuid, 0, 'original', 'gpu', tenant, period.id, false, worked.starts_at::date, owner,
    uuid, '', 'run', class, '', '', price.id, 'USD', worked.starts_at, worked.starts_at + make_interval(secs => seconds),
    seconds, 1000, per_hour, list_per_hour,
    round(per_hour * seconds / 3600, 9), round(list_per_hour * seconds / 3600, 9), '', worked.starts_at + interval '1 hour'
FROM (
    SELECT n, 1 + n % {TENANTS} AS tenant, 1 + n % {PEOPLE} AS owner, 1 + n % {CLASSES} AS class,
        ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS uuid,
        timestamptz '{FIRST_DAY}' + make_interval(days => day, hours => 9 + hour) AS starts_at,
        CASE WHEN hour IN (0, 7) THEN 1 + (n * 7919 + day * 104729 + hour * 31) % 3599 ELSE 3600 END AS seconds
    FROM generate_series(1, {INSTANCES}) n, generate_series(0, {DAYS - 1}) day, generate_series(0, 7) hour
    WHERE (n * 31 + day * 17) % 3 < 2 AND n % {TENANTS} BETWEEN {{first}} AND {{last}}
) AS worked
JOIN billing_price AS price ON price.gpu_class_id = class
JOIN billing_billingperiod AS period ON period.tenant_id = tenant AND period.month = date_trunc('month', worked.starts_at)::date
"""


def prepare() -> None:
    """Make tenants, people, places, prices and instances; every instance runs since the last hour of the year."""
    from engines.models import Cluster, Engine, EngineVersion, GpuClass, Instance, Volume  # noqa: PLC0415 - after django.setup()
    from tenants.models import Tenant, User  # noqa: PLC0415

    Tenant.objects.bulk_create(Tenant(pk=n, slug=f"studio-{n}", name=f"Studio {n}") for n in range(1, TENANTS + 1))
    User.objects.bulk_create(User(pk=n, username=f"artist-{n}", email=f"{n}@example.org") for n in range(1, PEOPLE + 1))
    with connection.cursor() as cursor:
        cursor.execute(ACCOUNTS)
    engine = Engine.objects.create(slug="loom", name="Loom")
    version = EngineVersion.objects.create(engine=engine, version="1", command=["true"])
    GpuClass.objects.bulk_create([GpuClass(pk=pk, slug=f"class-{pk}", name=f"Class {pk}") for pk in range(1, CLASSES + 1)])
    cluster = Cluster.objects.create(slug="bench", name="Bench", kind="local")
    with connection.cursor() as cursor:
        cursor.execute(PRICES)
    numbers = range(1, INSTANCES + 1)
    place = {"cluster": cluster}
    volumes = [
        Volume(pk=f"00000000-0000-4000-9000-{n:012}", name=f"v{n}", tenant_id=1 + n % TENANTS, owner_id=1 + n % PEOPLE, **place)
        for n in numbers
    ]
    Volume.objects.bulk_create(volumes)
    Instance.objects.bulk_create(
        Instance(
            pk=f"00000000-0000-4000-8000-{n:012}",
            name=f"i{n}",
            tenant_id=1 + n % TENANTS,
            owner_id=1 + n % PEOPLE,
            gpu_class_id=1 + n % CLASSES,
            engine_version=version,
            volume_id=f"00000000-0000-4000-9000-{n:012}",
            state="running",
            **place,
        )
        for n in numbers
    )


def fill(first: int, last: int) -> int:
    """Charge a year to the tenants of these numbers (0 to 49), and add it up; return how many charges there are."""
    from billing.rollups import fill_all  # noqa: PLC0415 - after django.setup()

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(CHARGES.format(first=first, last=last))
        cursor.execute("TRUNCATE billing_dayrollup, billing_monthrollup")
        fill_all(cursor, None)
        cursor.execute("SET session_replication_role = DEFAULT")
        for table in ("charge", "dayrollup", "monthrollup"):
            cursor.execute(f"VACUUM ANALYZE billing_{table}")
        cursor.execute("SELECT count(*) FROM billing_charge")
        return int(cursor.fetchone()[0])
