from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_add_periods_and_rollups'),
        ('engines', '0014_add_part_millis'),
        ('tenants', '0010_seal_kept_answers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='dayrollup',
            name='day_rollup_by_day',
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['day'], include=('tenant', 'instance', 'owner', 'gpu_class', 'category', 'currency', 'seconds', 'milli_unit_seconds', 'amount', 'list_amount', 'charge_count'), name='day_rollup_by_day'),
        ),
    ]
