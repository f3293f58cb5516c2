"""Whether somebody without a photo identification is taken, if need be with a letter of the hospital."""

from app.rules.policies.base import PLACES, Case, Clause, Finding, Held, Person, accepts, said

_FACET, _LETTER = "no-photo-id-required", "hospital-photo-letter"


def _judge(person: Person, held: Held) -> Finding:
    without = None if person.photo_id is None else not person.photo_id
    found = accepts(held, _FACET, without, "take people without a photo identification")
    letter = held.get(_LETTER)
    asked = _FACET in held and held[_FACET].value == "no" and without is not False
    if not asked or (letter is not None and letter.value == "no"):
        return found
    if letter is None:
        return Finding(
            "unknown", "It asks for a photo identification; whether a hospital's letter will do, call.", _LETTER
        )
    return Finding("fits", "It accepts a letter of the hospital with a photo.", _LETTER)


CLAUSE = Clause(
    name="photo-id",
    facets=(_LETTER, _FACET),
    reads=("photo_id",),
    judge=_judge,
    needs=PLACES,
    reason="no-photo-id",
    cases=(
        Case({_FACET: said("no"), _LETTER: said("no")}, Person(photo_id=False), "conflict"),
        Case({_FACET: said("no"), _LETTER: said("yes")}, Person(photo_id=False), "fits"),
        Case({_FACET: said("no")}, Person(photo_id=False), "unknown"),
        Case({_FACET: said("no"), _LETTER: said("no")}, Person(photo_id=True), "not-asked"),
    ),
)
