import sys
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest

from landslide_cli.mapping.text import plain

HOSTILE = {
    "markup": "<script>alert('x')</script>",
    "quotes": "\"'`",
    "end of a section": "]]>&amp;<!-- -->",
    "ampersand": "a & b",
    "long": "long " * 2000,
    "right to left": "\u202eגבעה",
    "emoji": "🏔\ufe0f",
    "list": "[1, 2]",
    "object": '{"a": 1}',
    "control": "a\x01\x1b\x1f\x7f\x85b",
    "nothing": "a\x00b",
    "half a letter": "a\ud800b",
    "no letter": "a\ufffe\uffffb",
}
"""Names that a catalog, a model or a folder may have."""


@pytest.mark.parametrize("name", HOSTILE)
def test_letters_stay_and_xml_can_hold_them(name: str) -> None:
    text = plain(HOSTILE[name])
    assert text == "".join(letter for letter in HOSTILE[name] if letter not in "\x00\x01\x1b\x1f\ud800\ufffe\uffff")
    element = Element("name", said=text)
    element.text = text
    read = fromstring(tostring(element, encoding="utf-8"))
    assert (read.text, read.get("said")) == (text, text)


def test_every_letter_that_is_kept_can_stand_in_xml() -> None:
    kept = plain("".join(map(chr, range(sys.maxunicode + 1)))).replace("\r", "")
    assert fromstring(f"<a>{kept.replace('&', '').replace('<', '')}</a>".encode()).text
    assert len(kept) > 0x10FFFF - 2048 - 40
