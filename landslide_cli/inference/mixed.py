"""Cuts a network into parts, so that parts that need float32 keep it while the rest runs in bfloat16.

Only the graph that OpenVINO builds from an ONNX file is used: where it subtracts the two images' feature maps, and
where its convolutions are. Names do not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from landslide_cli.errors import ModelError

FINEST: Final = 2
"""Number of differences of the two images' feature maps computed in float32, the finest first, with all their inputs.

Where little changed, two maps are nearly equal, and rounding turns their difference into noise. Coarser differences
tolerate rounding: with all five in float32 the answers were no closer, and a seventh slower.
"""
LAST: Final = 20
"""Number of last convolutions computed in float32: later layers cannot recover their precision. The answers differed by
up to 1.0 percentage points with 14 convolutions, by up to 0.6 with 20, and by no less with 24."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network; a tensor has the same name in the part that makes it and in the part that uses it."""

    model: Any
    """`openvino.Model`."""
    precision: str
    """`f32` or `bf16`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def parts(model: Any) -> list[Part]:
    """Cut a network into a first part in float32, a middle one in bfloat16 and a last one in float32.

    Args:
        model: `openvino.Model` with fixed shapes, and `pre` and `post` among its inputs; it is modified.

    Returns:
        The parts, in the order in which they run.

    Raises:
        ModelError: the network does not subtract the two images' feature maps, or has too few convolutions.
    """
    from openvino import passes

    manager = passes.Manager()
    # Fold computed map sizes into constants: they would connect the parts otherwise.
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)
    nodes = model.get_ordered_ops()
    for number, node in enumerate(nodes):
        node.set_friendly_name(str(number))
    place = _places(nodes)
    cut = [_Cut("f32"), _Cut("bf16"), _Cut("f32")]
    for node in nodes:
        kind = node.get_type_name()
        if kind not in ("Constant", "Parameter"):
            for target in node.inputs():
                _connect(target, place, cut)
        if kind == "Result":
            cut[place[_name(node)]].results[node.output(0).get_any_name()] = node
    return [part.close() for part in cut if part.results]


class _Cut:
    """A part under construction."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.parameters: dict[str, Any] = {}
        self.results: dict[str, Any] = {}

    def close(self) -> Part:
        from openvino import Model

        model = Model(list(self.results.values()), list(self.parameters.values()), self.precision)
        return Part(model, self.precision, tuple(self.parameters), tuple(self.results))


def _connect(target: Any, place: dict[str, int], cut: list[_Cut]) -> None:
    """Feed the input `target` of a node from its own part; values from another part enter as parameters."""
    from openvino import opset13

    source = target.get_source_output()
    node, taker = source.get_node(), cut[place[_name(target.get_node())]]
    kind = node.get_type_name()
    if kind == "Constant":
        return
    giver = cut[place[_name(node)]]
    if kind != "Parameter" and giver is taker:
        return
    name = source.get_any_name() if kind == "Parameter" else f"{_name(node)}:{source.get_index()}"
    if name not in taker.parameters:
        taker.parameters[name] = opset13.parameter(source.get_partial_shape(), source.get_element_type())
    if kind != "Parameter" and name not in giver.results:
        giver.results[name] = opset13.result(source)
    target.replace_source_output(taker.parameters[name].output(0))


def _places(nodes: list[Any]) -> dict[str, int]:
    """Return the part number of each node, by name; no value flows to an earlier part."""
    differences = sorted(_differences(nodes), key=lambda node: -_pixels(node))
    if not differences:
        raise ModelError("its graph does not subtract the feature maps of the two images from each other")
    first = _leading_to(differences[:FINEST])
    convolutions = [name for node in nodes if (name := _name(node)) not in first and "Convolution" in _kind(node)]
    if len(convolutions) <= LAST:
        raise ModelError(f"its graph has at most {LAST} convolutions after the differences of the images")
    last = set(convolutions[-LAST:])
    place: dict[str, int] = {}
    for node in nodes:
        name = _name(node)
        if name in first or _kind(node) in ("Constant", "Parameter"):
            place[name] = 0
        else:
            place[name] = 2 if name in last else max([1, *(place[_name(source)] for source in _sources(node))])
    return place


def _differences(nodes: list[Any]) -> Iterable[Any]:
    """Yield nodes that subtract a map of one image alone from a map of the other image alone."""
    images: dict[str, frozenset[str]] = {}
    for node in nodes:
        if _kind(node) == "Parameter":
            images[_name(node)] = frozenset(node.output(0).get_names())
            continue
        seen = [images[_name(source)] for source in _sources(node)]
        images[_name(node)] = frozenset().union(*seen)
        if _kind(node) == "Subtract" and set(seen) == {frozenset({"pre"}), frozenset({"post"})}:
            yield node


def _leading_to(nodes: list[Any]) -> set[str]:
    found: set[str] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if _name(node) not in found:
            found.add(_name(node))
            todo += _sources(node)
    return found


def _sources(node: Any) -> list[Any]:
    return [target.get_source_output().get_node() for target in node.inputs()]


def _pixels(node: Any) -> int:
    *_, height, width = node.output(0).get_shape()
    return int(height * width)


def _name(node: Any) -> str:
    return str(node.get_friendly_name())


def _kind(node: Any) -> str:
    return str(node.get_type_name())
