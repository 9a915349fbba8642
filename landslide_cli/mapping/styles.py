"""Writes layer styles for QGIS 3.22 and later (QML)."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from landslide_cli.mapping.attributes import ALIASES
from landslide_cli.mapping.changes import CHANGES

QGIS_VERSION: Final = "3.22.0"
"""Version stated in the documents: QGIS opens documents of older versions without a prompt."""

CONFIDENCE_CLASSES: Final = (
    (0.0, 0.5, "254,217,118"), (0.5, 0.7, "253,141,60"), (0.7, 0.85, "240,59,32"), (0.85, 1.0, "189,0,38")
)  # fmt: skip
"""Lower bound, upper bound and colour; ColorBrewer's YlOrRd, which colour-blind readers can distinguish."""


_CHANGE_LINES: Final = (
    ("213,0,60", "solid"), ("255,127,14", "solid"), ("120,120,120", "solid"), ("86,180,233", "solid"),
    ("0,80,200", "solid"), ("255,127,14", "dot"), ("86,180,233", "dot"), ("152,78,163", "dash"), ("40,40,40", "dash"),
)  # fmt: skip
"""Colour and line of each of `CHANGES`. Warm colours: more than before. Cold colours: less than before. Broken lines:
perhaps no change of the ground. Two separate colours: the ground was not seen."""


def confidence_colour(confidence: float) -> str:
    """Return the colour of a landslide from `CONFIDENCE_CLASSES`."""
    return next((colour for _, upper, colour in CONFIDENCE_CLASSES if confidence < upper), CONFIDENCE_CLASSES[-1][2])


def style(layer: str, fields: Sequence[str]) -> str:
    """Return the QML document of a layer (see `renderer`), with the alias of each field."""
    root = Element("qgis", version=QGIS_VERSION, styleCategories="Symbology|Fields")
    root.append(renderer(layer))
    root.append(aliases(fields))
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + tostring(root, encoding="unicode")


def renderer(layer: str) -> Element:
    """Return the `renderer-v2` of a layer: `landslides`, `changes`, `not_analysed`, `aoi` or `scenes`."""
    if layer == "landslides":
        return _graduated()
    if layer == "changes":
        return _categorized()
    fills = {
        "not_analysed": _fill("70,70,70,255", "b_diagonal", "70,70,70,255", "0.15"),
        "aoi": _fill("0,0,0,0", "no", "20,20,20,255", "0.6", "dash"),
        "scenes": _fill("0,0,0,0", "no", "31,120,180,255", "0.4"),
    }
    single = Element("renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0", forceraster="0")
    SubElement(single, "symbols").append(_symbol("0", fills[layer]))
    return single


def aliases(fields: Sequence[str]) -> Element:
    """Return the aliases of the fields of a layer."""
    root = Element("aliases")
    for number, field in enumerate(fields, 1):
        SubElement(root, "alias", field=field, index=str(number), name=ALIASES.get(field, ""))
    return root


def _graduated() -> Element:
    root = Element(
        "renderer-v2", type="graduatedSymbol", attr="confidence", graduatedMethod="GraduatedColor",
        symbollevels="0", enableorderby="0", forceraster="0",
    )  # fmt: skip
    ranges, symbols = SubElement(root, "ranges"), SubElement(root, "symbols")
    for number, (lower, upper, colour) in enumerate(CONFIDENCE_CLASSES):
        label = f"confidence {lower:g} - {upper:g}"
        SubElement(
            ranges, "range", symbol=str(number), lower=f"{lower:.6f}", upper=f"{upper:.6f}", label=label, render="true"
        )
        symbols.append(_symbol(str(number), _fill(f"{colour},150", "solid", f"{colour},255", "0.35")))
    return root


def _categorized() -> Element:
    root = Element(
        "renderer-v2", type="categorizedSymbol", attr="change", symbollevels="0", enableorderby="0", forceraster="0"
    )
    categories, symbols = SubElement(root, "categories"), SubElement(root, "symbols")
    for number, (change, (colour, line)) in enumerate(zip(CHANGES, _CHANGE_LINES, strict=True)):
        SubElement(categories, "category", symbol=str(number), value=change, type="string", label=change, render="true")
        # Almost transparent, so that landslides and images stay visible below.
        symbols.append(_symbol(str(number), _fill(f"{colour},50", "solid", f"{colour},255", "0.7", line)))
    return root


def _fill(colour: str, pattern: str, outline: str, width_mm: str, line: str = "solid") -> Mapping[str, str]:
    return {
        "color": colour, "style": pattern, "outline_color": outline, "outline_style": line, "outline_width": width_mm,
        "outline_width_unit": "MM", "joinstyle": "bevel",
    }  # fmt: skip


def _symbol(name: str, fill: Mapping[str, str]) -> Element:
    symbol = Element("symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    layer = SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"})
    options = SubElement(layer, "Option", type="Map")
    for key, value in fill.items():
        SubElement(options, "Option", name=key, type="QString", value=value)
    return symbol
