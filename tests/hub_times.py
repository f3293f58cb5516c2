"""What a resource says of the hub's own clock, for tests that compare what was told and not when."""

from typing import Any

Resource = dict[str, Any]


def without_hub_times(resource: Resource) -> Resource:
    """A Task without until when its answer is asked for, and without when its coverage clock was computed."""
    if "extension" not in resource:
        return resource
    kept = [one for one in resource["extension"] if not one["url"].endswith("/answer")]
    return {**resource, "extension": [_not_computed_at(one) for one in kept]}


def _not_computed_at(extension: Resource) -> Resource:
    if "extension" not in extension:
        return extension
    return {**extension, "extension": [part for part in extension["extension"] if part["url"] != "computedAt"]}
