"""Bundle: several resources as one (FHIR R4 2.36). Never stored as such."""

from functools import partial

from schemas.resources.base import Invariant, Resource, ResourceSpec, any_of

_REQUESTS = frozenset({"batch", "transaction", "history"})
_RESPONSES = frozenset({"batch-response", "transaction-response", "history"})


def _entries_have(part: str, types: frozenset[str], bundle: Resource) -> bool:
    wanted = bundle.get("type") in types
    return all((part in entry) is wanted for entry in bundle.get("entry", ()))


def _full_urls_once(bundle: Resource) -> bool:
    if bundle.get("type") == "history":
        return True
    seen = [
        (entry["fullUrl"], entry.get("resource", {}).get("meta", {}).get("versionId"))
        for entry in bundle.get("entry", ())
        if "fullUrl" in entry
    ]
    return len(seen) == len(set(seen))


def _starts_with(kind: str, first: str, bundle: Resource) -> bool:
    if bundle.get("type") != kind:
        return True
    entries = bundle.get("entry", ())
    return bool(entries) and entries[0].get("resource", {}).get("resourceType") == first


def _document_has(bundle: Resource, *names: str) -> bool:
    return bundle.get("type") != "document" or all(name in bundle for name in names)


def _document_is_identified(bundle: Resource) -> bool:
    return _document_has(bundle, "identifier") and (
        bundle.get("type") != "document" or {"system", "value"} <= bundle["identifier"].keys()
    )


SPEC = ResourceSpec(
    type="Bundle",
    interactions=frozenset(),
    invariants=(
        Invariant(
            "bdl-1",
            "a total only in a searchset or history",
            "Bundle",
            lambda b: "total" not in b or b.get("type") in {"searchset", "history"},
            element="total",
        ),
        Invariant(
            "bdl-2",
            "entry.search only in a searchset",
            "Bundle",
            lambda b: b.get("type") == "searchset" or all("search" not in e for e in b.get("entry", ())),
            element="entry",
        ),
        Invariant(
            "bdl-3",
            "entry.request in batch, transaction and history, and only there",
            "Bundle",
            partial(_entries_have, "request", _REQUESTS),
            element="entry",
        ),
        Invariant(
            "bdl-4",
            "entry.response in batch-response, transaction-response and history, and only there",
            "Bundle",
            partial(_entries_have, "response", _RESPONSES),
            element="entry",
        ),
        Invariant(
            "bdl-5", "a resource, request or response", "Bundle.entry", any_of("resource", "request", "response")
        ),
        Invariant("bdl-7", "each fullUrl once, or with different versions", "Bundle", _full_urls_once, element="entry"),
        Invariant(
            "bdl-8",
            "a fullUrl without version",
            "Bundle.entry",
            lambda entry: "/_history/" not in entry.get("fullUrl", ""),
            element="fullUrl",
        ),
        Invariant(
            "bdl-9",
            "an identifier with system and value in a document",
            "Bundle",
            _document_is_identified,
            element="identifier",
        ),
        Invariant(
            "bdl-10",
            "a timestamp in a document",
            "Bundle",
            lambda bundle: _document_has(bundle, "timestamp"),
            element="timestamp",
        ),
        Invariant(
            "bdl-11",
            "a Composition as first entry of a document",
            "Bundle",
            partial(_starts_with, "document", "Composition"),
            element="entry",
        ),
        Invariant(
            "bdl-12",
            "a MessageHeader as first entry of a message",
            "Bundle",
            partial(_starts_with, "message", "MessageHeader"),
            element="entry",
        ),
    ),
)
