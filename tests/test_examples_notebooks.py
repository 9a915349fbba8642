"""Run the notebooks of `examples/` as a reader does, and look at what they leave behind."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from landslide_cli import Event
from landslide_cli.inference.models import read_card

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, folder: Path) -> list[str]:
    """Execute a notebook in `folder` and return the kinds of output of all its cells."""
    notebook = nbformat.reads((EXAMPLES / name).read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") for cell in notebook.cells), "a notebook is kept without its outputs"
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [kind for output in outputs for kind in output.get("data", {})]


def test_the_notebook_of_the_mapper(tmp_path: Path) -> None:
    kinds = run("mapper.ipynb", tmp_path)
    assert kinds.count("image/png") == 1
    assert kinds.count("text/html") == 3  # the scenes, the largest landslides, and those by threshold
    event = Event.open(tmp_path / "event")
    landslides = event.layer("landslides")
    assert len(landslides) == event.mapped[1].landslides > 0
    assert (tmp_path / "opinions.geojson").is_file()


def test_the_notebook_of_the_researcher(tmp_path: Path) -> None:
    kinds = run("researcher.ipynb", tmp_path)
    assert kinds.count("image/png") == 1
    assert kinds.count("text/html") == 2  # the metrics of each epoch, and the scores
    assert read_card(str(tmp_path / "tinycd.onnx")).licence == "MIT"
