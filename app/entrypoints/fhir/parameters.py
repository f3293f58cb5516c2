"""The name=value pairs of a query or a form."""

from functools import lru_cache
from urllib.parse import parse_qsl

from app.core.errors import BadRequest

Pairs = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def pairs_of(query: bytes) -> Pairs:
    """Pairs in their order. Raises BadRequest for what is none, or not UTF-8."""
    if not query:
        return ()
    if b"%00" in query or b"\0" in query:
        raise BadRequest("The query holds a NUL.", path="http.query")
    try:
        return tuple(parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError as error:
        raise BadRequest("The query is not name=value pairs in UTF-8.", path="http.query") from error
