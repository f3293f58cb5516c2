"""How secret a Bundle is as a whole, from the bytes of what it holds (see fhir_mappings.labels.high_water_mark)."""

from functools import cache

import orjson

from fhir_mappings.labels import mark_of


def mark(*contents: bytes) -> bytes:
    """``"security":[…]``, for the meta of the Bundle that holds ``contents``; empty where nothing is labelled."""
    codes = {one["code"]: one for content in contents for one in mark_of(content)}
    return _written(tuple((one["system"], code) for code, one in codes.items()))


def marked_meta(*contents: bytes) -> bytes:
    """``"meta":{…},`` of a Bundle that has no other meta; empty where nothing is labelled."""
    security = mark(*contents)
    return b'"meta":{%s},' % security if security else b""


@cache
def _written(labels: tuple[tuple[str, str], ...]) -> bytes:
    if not labels:
        return b""
    return b'"security":' + orjson.dumps([{"system": system, "code": code} for system, code in labels])
