from collections.abc import Callable

import numpy as np

from landslide_cli.geo.bands import Unseen
from landslide_cli.imagery.composite import composite
from landslide_cli.imagery.scenes import Scene

SIZE = 12


class Sky:
    """Scenes in memory, each all of its own number; counts which images are read."""

    def __init__(self, *unseen: np.ndarray) -> None:
        self.unseen = unseen
        self.scenes = [Scene((_Item(str(n)),)) for n in range(1, len(unseen) + 1)]  # type: ignore[arg-type]
        self.images_read: list[int] = []

    def read(self, scene: Scene) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
        number = int(scene.id)
        why = self.unseen[number - 1]

        def images() -> np.ndarray:
            self.images_read.append(number)
            dn = np.full((2, SIZE, SIZE), 100 * number, np.uint16)
            dn[:, why == Unseen.OUTSIDE] = 0
            return dn

        return why, images


class _Item:
    def __init__(self, identifier: str) -> None:
        self.id = identifier


def sky(columns: slice, reason: Unseen) -> np.ndarray:
    why = np.zeros((SIZE, SIZE), np.uint8)
    why[:, columns] = reason
    return why


def test_clouds_are_filled_from_the_next_scene() -> None:
    both = Sky(sky(np.s_[:6], Unseen.CLOUD), sky(np.s_[4:8], Unseen.SHADOW))
    dn, source = composite(both.scenes, both.read)
    assert source[0].tolist() == [2] * 4 + [Unseen.CLOUD] * 2 + [1] * 6
    assert dn[0, 0].tolist() == [200] * 4 + [100] * 8


def test_a_clear_scene_is_enough_and_the_next_is_not_read() -> None:
    three = Sky(sky(np.s_[:0], Unseen.CLOUD), sky(np.s_[:6], Unseen.CLOUD), sky(np.s_[:0], Unseen.CLOUD))
    dn, source = composite(three.scenes, three.read)
    assert (source == 1).all()
    assert (dn == 100).all()
    assert three.images_read == [1]


def test_a_scene_that_shows_nothing_new_is_passed_over() -> None:
    three = Sky(sky(np.s_[:6], Unseen.CLOUD), sky(np.s_[:8], Unseen.CLOUD), sky(np.s_[9:], Unseen.CLOUD))
    _, source = composite(three.scenes, three.read)
    assert three.images_read == [1, 3]
    assert source[0].tolist() == [3] * 6 + [1] * 6


def test_the_reason_is_that_of_the_scene_that_is_shown() -> None:
    both = Sky(sky(np.s_[:6], Unseen.OUTSIDE), sky(np.s_[:3], Unseen.SNOW))
    dn, source = composite(both.scenes, both.read)
    assert source[0].tolist() == [Unseen.SNOW] * 3 + [2] * 3 + [1] * 6
    assert dn[0, 0].tolist() == [200] * 6 + [100] * 6


def test_what_no_scene_observed_is_outside_and_zero() -> None:
    both = Sky(sky(np.s_[:6], Unseen.OUTSIDE), sky(np.s_[:3], Unseen.OUTSIDE))
    dn, source = composite(both.scenes, both.read)
    assert (source[:, :3] == Unseen.OUTSIDE).all()
    assert (dn[:, :, :3] == 0).all()
    assert (dn[:, :, 3:] > 0).all()


def test_a_band_that_is_missing_in_a_pixel_is_outside_even_where_the_classes_say_clear() -> None:
    one = Sky(np.zeros((SIZE, SIZE), np.uint8))

    def read(_: Scene) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
        dn = np.full((2, SIZE, SIZE), 100, np.uint16)
        dn[1, 3, 4] = 0
        return one.unseen[0], lambda: dn

    _, source = composite(one.scenes, read)
    assert np.argwhere(source != 1).tolist() == [[3, 4]]
    assert source[3, 4] == Unseen.OUTSIDE
