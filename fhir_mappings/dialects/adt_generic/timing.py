"""How often and for how long: the words for it in RPT, TQ and the fields of senders.

Source: HL7 v2.5.1 chapter 4 (TQ1-3, table 0335; TQ.3) and what is written in the field for the same.
"""

import re
from functools import lru_cache
from typing import Final

_DURATION = re.compile(r"(?:(?P<number>\d{1,4})\s*(?P<unit>[A-Z]*)|(?P<letter>[DW])(?P<count>\d{1,4}))", re.ASCII)
_DAYS_PER_UNIT: Final = {"D": 1, "DAY": 1, "DAYS": 1, "W": 7, "WK": 7, "WEEK": 7, "WEEKS": 7}
_INTERVALS: Final = {
    **dict.fromkeys(("DAILY", "QAM", "QPM", "QHS", "HS", "ATBEDTIME", "QNOON", "NIGHTLY"), "PT24H"),
    **dict.fromkeys(("EVERYMORNING", "EVERYEVENING", "EVERYNIGHT", "EVERYBEDTIME"), "PT24H"),
    "BID": "PT12H",
    "TID": "PT8H",
    "QID": "PT6H",
    "QOD": "PT48H",
    "WEEKLY": "P7D",
    **dict.fromkeys(("MONTHLY", "QMONTH", "QMO", "EVERYMONTH", "ONCEAMONTH", "ONCEMONTHLY"), "P28D"),
}
"""Patterns without a number. A month is four weeks: the earlier next dose is the safe one."""
_NUMBERS: Final = {"ONE": 1, "TWO": 2, "THREE": 3, "FOUR": 4, "SIX": 6, "EIGHT": 8, "TWELVE": 12, "OTHER": 2}
_TIMES_WORDS: Final = {"ONCE": 1, "TWICE": 2, "THRICE": 3}
_COUNT: Final = rf"\d{{1,3}}|{'|'.join(_NUMBERS)}"
_EVERY = re.compile(
    rf"(?:Q|EVERY)(?P<count>{_COUNT})?(?P<unit>MINS?|MINUTES?|H(?:OU)?RS?|H|DAYS?|D|WEEKS?|WKS?|W)", re.ASCII
)
_TIMES = re.compile(
    rf"(?:(?P<count>{_COUNT})(?:TIMES?|X)|(?P<word>{'|'.join(_TIMES_WORDS)}))(?:A|PER|EACH|EVERY|/)?"
    r"(?P<unit>DAY|DAILY|WEEK|WEEKLY)",
    re.ASCII,
)
_SEPARATES = re.compile(r"\s|(?<!\d)\.|\.(?!\d)", re.ASCII)
"""Between words and letters; a decimal point is part of its number."""
_MINUTES: Final = {"M": 1, "H": 60, "D": 1440, "W": 10080}
_LONGEST_DAYS: Final = 366


@lru_cache(maxsize=512)
def interval(repeat: str) -> str | None:
    """An ISO 8601 duration for a repeat pattern (``QDAY``, ``Q12H``, ``every 4 weeks``, ``2 times daily``).

    None for once, for what is unknown and for what is more than a pattern (``Q4-6H PRN``).
    """
    word = _SEPARATES.sub("", repeat).upper()
    known = _INTERVALS.get(word)
    if known is not None:
        return known
    every, times = _EVERY.fullmatch(word), _TIMES.fullmatch(word)
    if every is not None:
        return _duration(_number(every["count"] or "1"), every["unit"][0])
    if times is not None:
        return _share(_TIMES_WORDS.get(times["word"]) or _number(times["count"]), times["unit"])
    return None


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBERS[word]


def _duration(count: int, unit: str) -> str | None:
    """So many minutes (M), hours (H), days (D) or weeks (W); in the largest of H and whole weeks that fits."""
    minutes = count * _MINUTES[unit]
    if not 0 < minutes <= _LONGEST_DAYS * _MINUTES["D"]:
        return None
    if minutes % _MINUTES["H"]:
        return f"PT{minutes}M"
    return f"PT{minutes // _MINUTES['H']}H" if minutes % _MINUTES["W"] else f"P{minutes // _MINUTES['D']}D"


def _share(times: int, unit: str) -> str | None:
    """So many times a day, if that makes whole hours; or once a week."""
    if unit.startswith("WEEK"):
        return "P7D" if times == 1 else None
    return f"PT{24 // times}H" if times and 24 % times == 0 else None


@lru_cache(maxsize=512)
def days(text: str, unit: str) -> int | None:
    """Days of a service duration: ``3`` with unit ``d``, or ``D3`` and ``W1``. None without unit: it may be doses."""
    match = _DURATION.fullmatch(text.strip().upper())
    if match is None:
        return None
    if match["letter"]:
        found = int(match["count"]) * _DAYS_PER_UNIT[match["letter"]]
    else:
        per_unit = _DAYS_PER_UNIT.get(match["unit"] or unit.strip().upper())
        found = int(match["number"]) * (per_unit or 0)
    return found if 0 < found <= _LONGEST_DAYS else None
