from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_add_periods_and_rollups'),
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
