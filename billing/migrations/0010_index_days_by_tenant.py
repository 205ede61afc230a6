from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0009_add_budgets'),
        ('engines', '0014_add_part_millis'),
        ('tenants', '0012_add_mail_on_request'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='dayrollup',
            name='day_rollup_by_day',
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['tenant', 'day'], include=('instance', 'volume', 'owner', 'gpu_class', 'category', 'tag', 'currency', 'seconds', 'milli_unit_seconds', 'amount', 'list_amount', 'charge_count'), name='day_rollup_of_tenant'),
        ),
    ]
