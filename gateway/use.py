"""What a request that gwauth lets in says about the use of its engine. Pure."""

from engines.activity.classes import RequestClass, Rules, classify
from gateway.rules import Visit

_API_TOKEN = b"bearer aigc_"


def class_of(visit: Visit, path: str, rules: Rules, *, page: bool) -> RequestClass:
    """What a request that is let in says about the use of its engine."""
    get = visit.headers.get
    return classify(
        rules,
        method=visit.method.decode("latin-1"),
        path=path,
        destination="document" if page else get(b"sec-fetch-dest", b"").decode("latin-1"),
        is_websocket=visit.is_websocket,
        is_token=get(b"authorization", b"").lower().startswith(_API_TOKEN),
    )
