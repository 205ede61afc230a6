"""Does the engine answer?"""

import http.client

from engines.clusters.local.processes import listens

TIMEOUT_SECONDS = 0.5


def answers(port: int, path: str) -> bool:
    """GET the health path on loopback: any answer from 200 to 399 is an engine that is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return http.client.OK <= connection.getresponse().status < http.client.BAD_REQUEST
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_ready(run_id: str, port: int, path: str) -> bool:
    """Tell whether this run, and no stranger on its port, answers on its health path."""
    return answers(port, path) and listens(run_id, port)
