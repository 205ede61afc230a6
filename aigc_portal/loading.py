"""Loading everything that answers requests before the first one comes."""

import gc

from django.urls import get_resolver


def load_views() -> None:
    """Import every view, and take all that is loaded now out of the garbage collector's sight.

    It lives as long as the process does. Looking through it again and again would keep now one, now another request waiting for a
    tenth of a second: two hundred thousand objects, of which none is ever garbage.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
