"""AIGC Portal: AIGC engines on demand, behind single sign-on, with a bill."""

from aigc_portal.celery import app as celery_app

__all__ = ["celery_app"]
