from datetime import date
from urllib.parse import urlsplit

from landslide_cli.training.inventories import INVENTORIES, SEE_SOURCE


def test_the_inventories_are_those_of_the_paper() -> None:
    names = [inventory.name for inventory in INVENTORIES]
    assert len(set(names)) == len(names) == 5
    # The paper's total, section 3.1.
    assert sum(inventory.landslides for inventory in INVENTORIES) == 34_920


def test_each_says_when_whose_and_where() -> None:
    for inventory in INVENTORIES:
        first, last = date.fromisoformat(inventory.first_date), date.fromisoformat(inventory.last_date)
        assert (last - first).days == (3 if inventory.name == "haiti" else 0)
        assert inventory.citation
        for url in filter(None, (inventory.source, inventory.download)):
            assert urlsplit(url).scheme == "https"
        # A licence is stated only where the source says so.
        assert (inventory.licence != SEE_SOURCE) == (inventory.name == "mesetas")
