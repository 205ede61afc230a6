"""What a request that gwauth lets in says about the use of its engine. Pure."""

from engines.activity.classes import RequestClass, Rules, classify
from gateway.requests import Request


def class_of(request: Request, rules: Rules, *, is_token: bool) -> RequestClass:
    """Tell what the request is, by the rules of its engine."""
    visit = request.visit
    return classify(
        rules,
        method=visit.method.decode("latin-1"),
        path=request.path,
        destination="document" if request.page else visit.headers.get(b"sec-fetch-dest", b"").decode("latin-1"),
        is_websocket=visit.is_websocket,
        is_token=is_token,
    )
