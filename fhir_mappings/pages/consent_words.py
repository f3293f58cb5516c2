"""The scope of a consent as a person reads it: the clear explanation that 42 CFR 2.32(b) lets stand for a copy."""

from typing import Any, Final

Resource = dict[str, Any]
_PURPOSES: Final = {
    "TREAT": "treatment",
    "HPAYMT": "payment",
    "HOPERAT": "health care operations",
    "ETREAT": "emergency treatment",
    "PATRQT": "at the request of the patient",
}
"""v3-ActReason codes."""


def scope_in_words(consent: Resource) -> str:
    """Who may be told what, for which purpose and until when, as the Consent says it; no name of the patient."""
    provision = consent.get("provision", {})
    said = [
        f"signed {consent['dateTime'][:10]}" if "dateTime" in consent else "without a date of signature",
        f"{provision.get('type', 'permit')}s disclosure to {_actors(provision) or 'recipients that it does not name'}",
    ]
    purposes = [_PURPOSES.get(one.get("code", ""), one.get("code", "")) for one in provision.get("purpose", [])]
    if purposes:
        said.append(f"for {_list(purposes)}")
    end = provision.get("period", {}).get("end")
    said.append(f"until {end[:10]}" if end else "without an end")
    said += [
        f"except: {inner.get('type', 'deny')} {_actors(inner)}".rstrip() for inner in provision.get("provision", [])
    ]
    return ", ".join(said)


def _actors(provision: Resource) -> str:
    named = (actor.get("reference", {}) for actor in provision.get("actor", []))
    return _list([one.get("display") or one.get("reference", "") for one in named])


def _list(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
