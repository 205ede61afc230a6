"""Whether an engine answers, and whether it is the engine that answers."""

import http.client
from collections.abc import Callable
from urllib.parse import quote

_URL_CHARACTERS = "%/:=&?~+!$,;'@()*[]"


def answers(port: int, health_path: str, *, is_its_own: Callable[[], bool], seconds: float) -> bool:
    """GET the health path on 127.0.0.1; true for 2xx and 3xx from a listener that `is_its_own`.

    Nothing is sent before that is sure: an unrelated program that took the port gets no request.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.connect()
        if not is_its_own():
            return False
        connection.request("GET", quote(health_path, safe=_URL_CHARACTERS), headers={"Connection": "close"})
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
