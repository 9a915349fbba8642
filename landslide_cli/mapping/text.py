"""Cleans text from outside, such as the names of models, images and folders."""

import re
from typing import Final

_NO_LETTERS: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (production 2, Char)."""


def plain(text: str) -> str:
    """Drop characters that some formats cannot store: control characters and lone surrogates."""
    return _NO_LETTERS.sub("", text)
