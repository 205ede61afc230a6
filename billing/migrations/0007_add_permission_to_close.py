from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_cover_sums_of_days'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='billingperiod',
            options={'ordering': ['tenant__name', '-starts_at'], 'permissions': [('close_billingperiod', 'Can close billing periods for ever')], 'verbose_name': 'billing period', 'verbose_name_plural': 'billing periods'},
        ),
    ]
