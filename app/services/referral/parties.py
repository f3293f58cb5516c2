"""Those who take part, as decisions about consent must know them."""

from datetime import date

from app.core.errors import NotFound
from app.rules.consent import UnitStatus
from app.rules.consent_flaws import Party
from app.store.accounts import Directory
from schemas.sender import Sender


def party_of(directory: Directory, organization: str, on: date) -> Party:
    """An organisation as a decision of the day ``on`` sees it.

    A hospital that sends here is a covered entity with medical personnel; what a partner is, its profile says; of
    anybody else nothing is assumed.
    """
    name = directory.names.get(organization, "")
    agreed = not directory.agreements_required or any(
        one.in_force(on) for one in directory.agreements.get(organization, ())
    )
    profile = directory.partners.get(organization)
    if profile is None:
        sends = any(sender.organization == organization for sender in directory.senders.values())
        return Party(name, organization, covered_entity=sends, medical=sends, agreement=agreed)
    return Party(
        name=name,
        organization=organization,
        covered_entity=profile.covered_entity,
        part2_program=profile.part2_program,
        business_associate=profile.business_associate,
        medical=profile.medical,
        agreement=agreed,
    )


def organization_of(directory: Directory, given: str) -> str:
    """The FHIR id of the organisation whose id or name is given. Raises NotFound."""
    found = given if given in directory.names else next((i for i, n in directory.names.items() if n == given), None)
    if found is None:
        raise NotFound("No organization has this id or name.")
    return found


def status_of(directory: Directory, sender: Sender, unit: str | None) -> UnitStatus:
    """Whether what a sender tells of a unit is a Part 2 record; all that a Part 2 program sends itself is one."""
    profile = directory.partners.get(sender.organization)
    return "part2" if profile is not None and profile.part2_program else sender.unit_status(unit)
