"""What runs a model: ONNX Runtime behind one small protocol. The only place that knows onnxruntime."""

import logging
import os
from collections.abc import Mapping
from ctypes.util import find_library
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.card import ModelCard

log = logging.getLogger("landslide.predict")

DEVICES: Final = ("auto", "cuda", "cpu")
_NAMES: Final = {"CUDAExecutionProvider": "cuda", "CPUExecutionProvider": "cpu"}


class Engine(Protocol):
    """Runs a model on windows."""

    card: ModelCard
    provider: str
    """What the model really runs on: `cuda`, `cpu`, or `numpy` for a detector."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W) in 0..1.

        Args:
            inputs: `pre` and `post` (N, B, H, W) as digital numbers (10000 = reflectance 1), and
                `terrain` (N, 4, H, W) where it is known; all float32.
        """


class OnnxEngine:
    """A self-describing ONNX file."""

    def __init__(self, path: Path, device: str = "auto") -> None:
        """Load `path` for `device`: `auto`, `cuda` or `cpu`.

        Raises:
            InputError: the device is unknown.
            ModelError: the file is no ONNX model, has no card, or not the inputs its card promises.
        """
        if device not in DEVICES:
            raise InputError(f"device {device!r} is unknown; use {', '.join(DEVICES)}")
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
        available = onnxruntime.get_available_providers()
        cuda = device != "cpu" and "CUDAExecutionProvider" in available and find_library("cuda") is not None
        if cuda and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        providers = ["CUDAExecutionProvider"] * cuda + ["CPUExecutionProvider"]
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own.
            raise ModelError(
                f"{path} is not an ONNX model that can be loaded ({str(error).splitlines()[0][:200]}); "
                "give the name of a shipped model or a file written by this program"
            ) from error
        self.card = ModelCard.from_metadata(self._session.get_modelmeta().custom_metadata_map, str(path))
        self.provider = _NAMES.get(self._session.get_providers()[0], self._session.get_providers()[0])
        if device == "cuda" and self.provider != "cuda":
            log.warning("no CUDA device can be used here; the model runs on the %s", self.provider)
        elif cuda and self.provider != "cuda":
            log.warning("a CUDA device is there but could not be used; the model runs on the %s", self.provider)
        self._names = [value.name for value in self._session.get_inputs()]
        expected = ["pre", "post", *(["terrain"] if self.card.terrain else [])]
        if sorted(self._names) != sorted(expected):
            raise ModelError(f"{path} reads {', '.join(self._names)}, but its card promises {', '.join(expected)}")

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W); see `Engine.run`."""
        fed = {name: np.ascontiguousarray(inputs[name]) for name in self._names}
        probability: NDArray[np.float32] = self._session.run(["probability"], fed)[0]
        return probability
