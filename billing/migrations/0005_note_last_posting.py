from django.db import migrations, models

FILL = """
UPDATE billing_billingaccount AS account SET posted_to = charged.posted_to
FROM (SELECT tenant_id, max(posted_at) AS posted_to FROM billing_charge GROUP BY tenant_id) AS charged
WHERE charged.tenant_id = account.tenant_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_cover_sums_of_days'),
    ]

    operations = [
        migrations.AddField(
            model_name='billingaccount',
            name='posted_to',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='posted up to'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
