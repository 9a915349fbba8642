"""Pictures show different ground, and the same stretch on both dates."""

from pathlib import Path

import numpy as np
from PIL import Image

from landslide_cli.training.plots import COLOURS, HIT, draw_hits, spread_out, true_colours, window_titles
from landslide_cli.training.tiles_index import Windows


def windows(events: list[str], rows: list[int], landslide_px: list[int]) -> Windows:
    count = len(events)
    return Windows(
        event=np.array(events), pre=np.full(count, "pre.tif"), post=np.full(count, "post.tif"),
        row=np.array(rows, np.int32), col=np.zeros(count, np.int32), landslide_px=np.array(landslide_px, np.int32),
        cloud_share=np.zeros(count, np.float32), split=np.full(count, "test"),
    )  # fmt: skip


def test_windows_are_of_all_events_and_of_different_ground() -> None:
    chosen = windows(["a", "a", "a", "b", "b"], [0, 16, 64, 0, 0], [9, 8, 7, 1, 2])
    assert spread_out(chosen, 3, 32).tolist() == [0, 4, 2]
    # All ground is drawn: then the same again.
    assert spread_out(chosen, 5, 32).tolist() == [0, 4, 2, 1, 3]
    assert spread_out(chosen, 9, 32).size == 5
    assert window_titles(chosen)[2] == "a\nrow 64, column 0"


def test_both_dates_are_stretched_alike_and_pairs_apart() -> None:
    rng = np.random.default_rng(0)
    pre = rng.uniform(200, 1200, (2, 3, 40, 40)).astype(np.float32)
    pre[1] = pre[0] + 5000
    post = pre.copy()
    post[:, :, :20] += 500
    before, after = true_colours(pre, post, ("B02", "B03", "B04"))
    assert before.shape == (2, 40, 40, 3)
    assert np.array_equal(before[:, 20:], after[:, 20:])
    assert (after[:, :20] >= before[:, :20]).all()
    assert np.allclose(before[0], before[1], atol=0.02)
    grey, _ = true_colours(pre[:, :2], post[:, :2], ("B08", "B11"))
    assert np.array_equal(grey[..., 0], grey[..., 2])


def test_hits_are_painted(tmp_path: Path) -> None:
    images = np.random.default_rng(0).uniform(200, 1200, (2, 3, 32, 32)).astype(np.float32)
    codes = [np.full((32, 32), HIT, np.uint8), np.full((32, 32), 255, np.uint8)]
    draw_hits(tmp_path / "hits.png", images, images, codes, ["one", "two"], ("B02", "B03", "B04"))
    with Image.open(tmp_path / "hits.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (np.abs(pixels.astype(int) - COLOURS[HIT]).sum(axis=1) < 6).mean() > 0.05
