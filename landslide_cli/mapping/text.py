"""Text from outside, such as the names of models, images and folders."""

import re
from typing import Final

_NO_LETTERS: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""All that XML 1.0 has no place for (its production 2, Char)."""


def plain(text: str) -> str:
    """Drop what not every format has a place for: control characters and halves of letters."""
    return _NO_LETTERS.sub("", text)
