"""What a real API server says when it refuses; wording as recorded from Kubernetes 1.36."""

from typing import Any

from tests.kubernetes.double.resources import Document, Resource


class ApiError(Exception):
    """A refusal: becomes a Status object with an HTTP code."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def status(self) -> Document:
        status: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status |= {"message": self.message} | ({"reason": self.reason} if self.reason else {})
        return status | ({"details": self.details} if self.details else {}) | {"code": self.code}


def details(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    return (
        ({"name": name} if name else {})
        | ({"group": resource.group} if resource.group else {})
        | {"kind": resource.plural}
        | more
    )


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', **details(resource, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', **details(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> ApiError:
    return ApiError(
        409, "Conflict", f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}', **details(resource, name)
    )


def precondition_failed(resource: Resource, name: str, why: str) -> ApiError:
    """A DELETE names the kind in its refusal, not the resource."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    more = details(resource, name) | {"kind": resource.kind}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {why}', **more)


def forbidden(resource: Resource, name: str, why: str, **more: Any) -> ApiError:
    about = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, "Forbidden", f"{about} is forbidden: {why}", **details(resource, name, **more))


Cause = tuple[str, str, str]  # field, reason, message


def invalid(resource: Resource, name: str, causes: list[Cause]) -> ApiError:
    """422: one or several fields are wrong."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    told = [f"{field}: {message}" for field, _, message in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    listed = [{"reason": reason, "message": message, "field": field} for field, reason, message in causes]
    more = details(resource, name) | {"kind": resource.kind, "causes": listed}
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', **more)


def immutable(field: str, value: str) -> Cause:
    return (field, "FieldValueInvalid", f"Invalid value: {value}: field is immutable")


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unprocessable() -> ApiError:
    """A JSON patch whose `test` failed; the server does not say more than that."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(asked: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def injected(code: int, retry_after: float | None) -> ApiError:
    """What a server in trouble says, by status code."""
    reason, message = {
        409: ("Conflict", f"Operation cannot be fulfilled: {MODIFIED}"),
        429: ("TooManyRequests", "Too many requests, please try again later."),
        500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
    }.get(code, ("", f"injected fault {code}"))
    return ApiError(code, reason, message, **({"retryAfterSeconds": int(retry_after)} if retry_after is not None else {}))
