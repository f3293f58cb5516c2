"""What conforms to FHIR and is not taken from a client all the same: meaning that can't be known, content that acts.

A modifier extension changes the meaning of what holds it, so who doesn't know it must not process it (FHIR R4
extensibility, modifierExtension). A narrative holds basic formatting only: no scripts, forms, frames, objects or event
attributes (FHIR R4 narrative, txt-1); what could act, or fetch something, when somebody looks at it is refused.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

from fhir_mappings.gate import Problem

Resource = dict[str, Any]
_FORMATTING: Final = frozenset(
    {
        "a", "abbr", "acronym", "address", "b", "bdo", "big", "blockquote", "br", "caption", "cite", "code", "col",
        "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd",
        "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
        "th", "thead", "tr", "tt", "ul", "var",
    }
)  # fmt: skip
_ATTRIBUTES: Final = frozenset(
    {
        "abbr", "align", "alt", "axis", "border", "cellpadding", "cellspacing", "char", "charoff", "cite", "class",
        "colspan", "dir", "frame", "headers", "height", "href", "id", "lang", "name", "rowspan", "rules", "scope",
        "span", "src", "start", "style", "summary", "title", "valign", "width", "xml:lang", "xmlns",
    }
)  # fmt: skip
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_LINK: Final = re.compile(r"#[\w.-]*|(https?://|mailto:)[^\s\"'<>]+", re.IGNORECASE)
_IMAGE: Final = re.compile(r"#[\w.-]*|data:image/(png|gif|jpeg);base64,[A-Za-z0-9+/=\s]*")
_STYLE: Final = re.compile(r"[\w\s:;#%.,-]*")


class _Looking(HTMLParser):
    """Looks for anything but formatting."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.acts = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.acts |= tag not in _FORMATTING or not all(_harmless(tag, name, value or "") for name, value in attrs)

    def handle_comment(self, _data: str) -> None:
        self.acts = True

    def handle_decl(self, _decl: str) -> None:
        self.acts = True

    def handle_pi(self, _data: str) -> None:
        self.acts = True

    def unknown_decl(self, _data: str) -> None:
        self.acts = True


def _harmless(tag: str, name: str, value: str) -> bool:
    if name not in _ATTRIBUTES:
        return False
    rules = {"href": _LINK, "cite": _LINK, "style": _STYLE, "src": _IMAGE, "xmlns": re.compile(re.escape(_XHTML))}
    rule = rules.get(name)
    return (name != "src" or tag == "img") and (rule is None or rule.fullmatch(value.strip()) is not None)


def check(resource: Resource) -> list[Problem]:
    """What is not taken of a resource that passed the gate; empty = all of it is."""
    return [*_problems(resource, str(resource["resourceType"]))]


def _problems(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        if "modifierExtension" in value:
            yield Problem(
                f"{path}.modifierExtension", "modifier-extension", "none: this server knows none", "extension"
            )
        div = value.get("div")
        if isinstance(div, str) and _acts(div):
            expected = "basic formatting only: no scripts, events, forms, frames, images or styles from elsewhere"
            yield Problem(f"{path}.div", "txt-1", expected, "invariant")
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                yield from _problems(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _problems(inner, f"{path}[{index}]")


def _acts(div: str) -> bool:
    looking = _Looking()
    looking.feed(div)
    looking.close()
    # A tag that is never closed is text to this reader, and may be none to a browser.
    return looking.acts or "<" in looking.rawdata
