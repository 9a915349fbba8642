"""Events differ, and together they show everything that a network must have seen."""

import numpy as np
import pytest

from landslide_cli.errors import InputError
from landslide_cli.simulation.nature import CHANCE, PLAIN, Change, draw_nature, parse_more_changes
from landslide_cli.simulation.spectra import SPECTRA, Material


def test_ten_events_show_every_kind_of_change() -> None:
    for first in range(0, 60, 10):
        natures = [draw_nature(np.random.default_rng(seed)) for seed in range(first, first + 10)]
        assert len({kind for nature in natures for kind in nature.changes}) >= len(Change) - 1
    assert set(CHANCE) == set(Change)


def test_spectra_stay_physical_and_plants_stay_green() -> None:
    for seed in range(50):
        nature = draw_nature(np.random.default_rng(seed))
        assert nature.spectra.shape == SPECTRA.shape
        assert 0 < nature.spectra.min() < nature.spectra.max() < 1
        red, nir = (nature.spectra[:, band] for band in (3, 7))
        ndvi = (nir - red) / (nir + red)
        assert ndvi[Material.BROADLEAF] > 0.6
        assert (ndvi[list(nature.fresh)] < 0.45).all()


def test_numbers_stay_in_their_range_and_differ() -> None:
    natures = [draw_nature(np.random.default_rng(seed)) for seed in range(200)]
    for nature in natures:
        assert 0 <= min(*nature.leafless, *nature.dry) <= max(*nature.leafless, *nature.dry) <= 1
        assert 0 < min(nature.snow_above) <= 1
        assert 0.002 < nature.fresh_share < 0.25
        assert 10 <= nature.source_deg < 35
        assert 0 < nature.failing_share < 1
        assert 0.5 < nature.clustering < 2
        assert 0 <= nature.managed < 1
        assert 5 < nature.canopy_m < 40
        assert 0 < nature.restless < 1
        assert 0 < nature.forest_edge <= 1
        assert 0 <= min(nature.slash) < max(nature.slash) <= 1
    assert len({nature.fresh_share for nature in natures}) == 200
    assert {nature.air > 0 for nature in natures} == {nature.sea > 0 for nature in natures} == {True, False}
    assert draw_nature(np.random.default_rng(3)).fresh_share == natures[3].fresh_share


def test_a_plain_event_is_the_table_itself() -> None:
    assert np.array_equal(PLAIN.spectra, SPECTRA)
    assert not PLAIN.air
    assert not PLAIN.managed
    assert not PLAIN.ragged
    assert not PLAIN.restless
    assert not PLAIN.more_cuts
    assert PLAIN.forest_edge == 1
    assert set(PLAIN.changes) == {Change.FIELD, Change.CLEAR_CUT}


def test_more_changes_make_every_kind_likelier_and_one_changes_nothing() -> None:
    usual = [draw_nature(np.random.default_rng(seed)) for seed in range(60)]
    same = [draw_nature(np.random.default_rng(seed), parse_more_changes(["1"])) for seed in range(60)]
    assert [nature.changes for nature in usual] == [nature.changes for nature in same]
    more = [draw_nature(np.random.default_rng(seed), parse_more_changes(["3"])) for seed in range(60)]
    for kind in Change:
        assert sum(kind in nature.changes for nature in more) > sum(kind in nature.changes for nature in usual)
    cuts = [np.mean([n.changes.get(Change.CLEAR_CUT, 0.0) for n in natures]) for natures in (usual, more)]
    assert cuts[1] > 2 * cuts[0]
    none = parse_more_changes(["0"])
    assert not any(draw_nature(np.random.default_rng(seed), none).changes for seed in range(20))


def test_more_of_one_kind_leaves_the_others_as_likely() -> None:
    times = parse_more_changes(["quarry=20", "0.5", "clear-cut=2"])
    assert times == dict.fromkeys(Change, 0.5) | {Change.QUARRY: 20.0, Change.CLEAR_CUT: 2.0}
    pits = [draw_nature(np.random.default_rng(seed), parse_more_changes(["0", "quarry=20"])) for seed in range(20)]
    assert all(set(nature.changes) == {Change.QUARRY} for nature in pits)
    assert all(nature.changes[Change.QUARRY] >= 3.0 for nature in pits)


@pytest.mark.parametrize("text", ["many", "quarry", "quarry=", "=3", "volcano=2", "-1", "quarry=-1", "nan", "inf"])
def test_what_is_no_number_or_no_kind_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match=f"--more-changes {text} .*clear-cut"):
        parse_more_changes([text])
