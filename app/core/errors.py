"""The errors that a user of Throughline can meet.

    HubError
    ├── BadRequest            400  structure     the request can't be read
    │   └── TooLarge          413  too-long
    ├── NotAuthenticated      401  login
    ├── Forbidden             403  forbidden
    ├── NotFound              404  not-found     also everything that is not visible
    ├── Deleted               410  deleted       was there, and the caller could see it
    ├── NotAllowed            405  not-supported never done with this type
    ├── NotSupported          400  not-supported
    ├── UnsupportedMedia      415  not-supported
    ├── NotAcceptable         406  not-supported
    ├── PreconditionFailed    412  conflict
    ├── Conflict              409  conflict
    ├── InUse                 409  conflict      something else rests on it
    ├── Unprocessable         422  business-rule
    ├── TooManyRequests       429  throttled     nothing was done; Retry-After says when to come back
    └── Unavailable           503  transient     nothing was written, or it is not known: send again

The docstring of each class is its general meaning; ``message`` says what to do. Neither may hold a
value from a message or a resource: paths, rules and expectations only.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: FHIR issue code, path of the element or field, and what is expected."""

    code: str
    text: str
    path: str | None = None


class HubError(Exception):
    """Something that the caller can be told."""

    status = 500
    code = "exception"

    def __init__(self, message: str, *, path: str | None = None, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.issues = issues or (Issue(self.code, message, path),)


class BadRequest(HubError):
    """The request can't be read."""

    status = 400
    code = "structure"


class TooLarge(BadRequest):
    """The body is larger than the limit."""

    status = 413
    code = "too-long"


class NotAuthenticated(HubError):
    """No valid bearer token."""

    status = 401
    code = "login"


class Forbidden(HubError):
    """The token does not allow this."""

    status = 403
    code = "forbidden"


class NotFound(HubError):
    """Not known, or not visible to the caller; the answer is the same."""

    status = 404
    code = "not-found"


class Deleted(HubError):
    """It was deleted; its earlier versions stand in its history."""

    status = 410
    code = "deleted"


class NotAllowed(HubError):
    """An interaction that this server never does with this type."""

    status = 405
    code = "not-supported"


class NotSupported(HubError):
    """A parameter or interaction that this server does not declare."""

    status = 400
    code = "not-supported"


class NotAcceptable(HubError):
    """None of the accepted media types can be served."""

    status = 406
    code = "not-supported"


class UnsupportedMedia(HubError):
    """The media type of the body is not one that is read here."""

    status = 415
    code = "not-supported"


class Conflict(HubError):
    """Somebody else changed it at the same time."""

    status = 409
    code = "conflict"


class InUse(HubError):
    """It can't be deleted while something else rests on it."""

    status = 409
    code = "conflict"


class PreconditionFailed(HubError):
    """The version that the caller names is not the current one."""

    status = 412
    code = "conflict"


class Unprocessable(HubError):
    """Readable, but against a rule."""

    status = 422
    code = "business-rule"


class TooManyRequests(HubError):
    """More than the caller may send; nothing was done."""

    status = 429
    code = "throttled"

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds
        """When to come back."""


class Unavailable(HubError):
    """Not durable, or not known to be: nothing is acknowledged, send again."""

    status = 503
    code = "transient"
