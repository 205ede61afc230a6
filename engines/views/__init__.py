"""Pages and buttons: access, then form, then one operation or query, then a template."""
