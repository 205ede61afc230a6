from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0005_note_last_posting'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='billingperiod',
            options={'ordering': ['tenant__name', '-starts_at'], 'permissions': [('close_billingperiod', 'Can close billing periods for ever')], 'verbose_name': 'billing period', 'verbose_name_plural': 'billing periods'},
        ),
    ]
