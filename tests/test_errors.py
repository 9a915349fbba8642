"""An interrupt is told from other errors, whatever was made of it."""

import pytest

from landslide_cli.errors import CatalogError, is_interrupt


def chained(last: BaseException, first: BaseException, *, said: bool) -> BaseException:
    """As Python chains `last`, raised while `first` was handled; `said`: with `from`."""
    setattr(last, "__cause__" if said else "__context__", first)
    return last


@pytest.mark.parametrize("said", [True, False])
def test_what_came_of_an_interrupt_is_one(said: bool) -> None:
    once = chained(OSError("closing failed"), KeyboardInterrupt(), said=said)
    assert is_interrupt(once)
    assert is_interrupt(chained(CatalogError("reading failed"), once, said=said))
    assert not is_interrupt(chained(CatalogError("reading failed"), OSError("404"), said=said))


def test_plain_errors() -> None:
    assert is_interrupt(KeyboardInterrupt())
    assert not is_interrupt(ValueError("no interrupt"))
    assert not is_interrupt(None)
