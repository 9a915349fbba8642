"""What runs a model, behind one small protocol. The only place that knows ONNX Runtime and OpenVINO."""

import logging
import os
from collections.abc import Iterable, Mapping
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.card import ModelCard

log = logging.getLogger("landslide.predict")

Inputs = Mapping[str, NDArray[np.float32]]

ENGINES: Final = ("tensorrt", "cuda", "openvino-bf16", "openvino", "cpu")
"""Fastest first. The last is ONNX Runtime in float32 on the processor, the reference that all others must match."""
DEVICES: Final = ("auto", *ENGINES)
REDUCED: Final = ("tensorrt", "openvino-bf16")
"""Engines that compute with fewer bits: they may change a map, and are not used untried."""
POINT: Final = 0.01
"""By how much a probability may differ from the reference's: one percent point, the step of a map."""
_PROVIDERS: Final = {
    "tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"
}  # fmt: skip


class Engine(Protocol):
    """Runs a model on windows."""

    card: ModelCard
    provider: str
    """What the model really runs on: one of `ENGINES`, or `numpy` for a detector."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W) in 0..1.

        Args:
            inputs: `pre` and `post` (N, B, H, W) as digital numbers (10000 = reflectance 1), and
                `terrain` (N, 4, H, W) where it is known; all float32.
        """


class OnnxEngine:
    """A self-describing ONNX file in ONNX Runtime."""

    def __init__(self, path: Path, provider: str = "cpu") -> None:
        """Load `path` for `provider`: `tensorrt`, `cuda` or `cpu`.

        Raises:
            ModelError: the file is no ONNX model, has no card, or not the inputs its card promises; or the provider
                is not to be had.
        """
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
        if provider != "cpu" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = processors()
        wanted: list[Any] = [_PROVIDERS[provider]]
        if provider == "tensorrt":
            wanted = [(_PROVIDERS[provider], {"trt_fp16_enable": True}), _PROVIDERS["cuda"]]
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=wanted)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own.
            raise ModelError(
                f"{path} is not an ONNX model that can be loaded ({str(error).splitlines()[0][:200]}); "
                "give the name of a shipped model or a file written by this program"
            ) from error
        if self._session.get_providers()[0] != _PROVIDERS[provider]:
            raise ModelError(f"ONNX Runtime cannot use {provider} here; give another --device")
        self.card = ModelCard.from_metadata(self._session.get_modelmeta().custom_metadata_map, str(path))
        self.provider = provider
        self._names = [value.name for value in self._session.get_inputs()]
        _check_inputs(self._names, self.card, path)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W); see `Engine.run`."""
        binding = self._session.io_binding()
        for name in self._names:
            binding.bind_cpu_input(name, np.ascontiguousarray(inputs[name]))
        # What lies between the layers stays on the device; the answer alone comes back.
        binding.bind_output("probability", "cpu" if self.provider == "cpu" else "cuda")
        self._session.run_with_iobinding(binding)
        probability: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return probability


class OpenVinoEngine:
    """A self-describing ONNX file in OpenVINO, on the processor."""

    def __init__(self, path: Path, card: ModelCard, *, bf16: bool) -> None:
        """Compile `path`, whose card is `card`.

        Args:
            path: the model.
            card: its card.
            bf16: compute in bfloat16, twice as fast where the processor has instructions for it.

        Raises:
            ModelError: OpenVINO cannot run the model.
        """
        import openvino

        self.card = card
        self.provider = "openvino-bf16" if bf16 else "openvino"
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": processors(),
        }
        try:
            compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {path} ({str(error).splitlines()[0][:200]})") from error
        self._request: Any = compiled.create_infer_request()
        self._names = [value.get_any_name() for value in compiled.inputs]
        _check_inputs(self._names, card, path)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W); see `Engine.run`."""
        fed = {name: np.ascontiguousarray(inputs[name]) for name in self._names}
        answer = self._request.infer(fed, share_inputs=True, share_outputs=False)
        probability: NDArray[np.float32] = answer["probability"]
        return probability


def run_file(path: Path, inputs: Inputs) -> NDArray[np.float32]:
    """Return the first output of any ONNX file, with card or without, in ONNX Runtime on the processor.

    Raises:
        ModelError: the file cannot be run on these inputs.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = processors()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[_PROVIDERS["cpu"]])
        output: NDArray[np.float32] = session.run(None, dict(inputs))[0]
    except Exception as error:  # ONNX Runtime's errors share no base class of their own.
        raise ModelError(f"{path} cannot be run by ONNX Runtime ({str(error).splitlines()[0][:200]})") from error
    return output


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def why_not(name: str) -> str | None:
    """Say why the engine `name`, one of `ENGINES`, cannot be used here, and what to do; None if it can."""
    if name == "cpu":
        return None
    return _why_no_gpu(name) if name in _PROVIDERS else _why_no_openvino(name)


def _why_no_gpu(name: str) -> str | None:
    import onnxruntime

    if _PROVIDERS[name] not in onnxruntime.get_available_providers():
        return "this ONNX Runtime was built without; on x86-64 install onnxruntime-gpu"
    if find_library("cuda") is None:
        return "no CUDA device: the driver's library is not there"
    return "TensorRT is not installed" if name == "tensorrt" and find_library("nvinfer") is None else None


def _why_no_openvino(name: str) -> str | None:
    if find_spec("openvino") is None:
        return 'not installed; pip install "landslide[openvino]"'
    import openvino

    if name == "openvino-bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "the processor has no instructions for bfloat16"
    return None


def load(path: Path, name: str, reference: OnnxEngine) -> Engine:
    """Load the model `path` into the engine `name`, one of `ENGINES`.

    Args:
        path: the model.
        name: the engine.
        reference: the same model on `cpu`.

    Raises:
        ModelError: the engine cannot run the model.
    """
    if name == "cpu":
        return reference
    if name in _PROVIDERS:
        return OnnxEngine(path, name)
    return OpenVinoEngine(path, reference.card, bf16=name == "openvino-bf16")


def difference(engine: Engine, reference: Engine, samples: Iterable[Inputs]) -> float:
    """Return the largest difference of two engines' probabilities anywhere in `samples`."""
    return max((float(np.abs(engine.run(s) - reference.run(s)).max()) for s in samples), default=0.0)


def open_model(path: Path, device: str = "auto", samples: Iterable[Inputs] | None = None) -> Engine:
    """Load the model `path` into the fastest engine that gives the reference's map, or into the one named.

    Args:
        path: the model.
        device: one of `DEVICES`.
        samples: windows to try on. `auto` passes over an engine that differs by more than `POINT` anywhere in them, and
            without samples over all of `REDUCED`. An engine asked for by name is used, with a warning if it differs.

    Raises:
        InputError: the device is unknown.
        ModelError: the file is no ONNX model, has no card, or not the inputs its card promises.
    """
    check_device(device)
    reference = OnnxEngine(path)
    tried = None if samples is None else list(samples)
    for name in ENGINES if device == "auto" else (device,):
        if name == "cpu" or (device == "auto" and tried is None and name in REDUCED):
            continue
        reason = why_not(name)
        try:
            engine = None if reason else load(path, name, reference)
            apart = difference(engine, reference, tried or ()) if engine else 0.0
        except Exception as error:  # Whatever a driver does not like, there is the reference.
            engine, reason = None, str(error).splitlines()[0][:200]
            log.warning("%s cannot be used here: %s", name, reason)
        if engine is None:
            level = logging.WARNING if name == device else logging.INFO
            log.log(level, "%s: %s; the model runs on the cpu" if name == device else "%s: %s", name, reason)
            continue
        if apart <= POINT:
            return engine
        if name == device:
            log.warning("%s changes the map by up to %.1f percent points", name, 100 * apart)
            return engine
        log.warning("%s would change the map by up to %.1f percent points: not used", name, 100 * apart)
    return reference


def check_device(device: str) -> None:
    """Refuse what is none of `DEVICES`.

    Raises:
        InputError: it is not.
    """
    if device not in DEVICES:
        raise InputError(f"--device {device!r} is unknown; use {', '.join(DEVICES)}")


def _check_inputs(names: list[str], card: ModelCard, path: Path) -> None:
    expected = ["pre", "post", *(["terrain"] if card.terrain else [])]
    if sorted(names) != sorted(expected):
        raise ModelError(f"{path} reads {', '.join(names)}, but its card promises {', '.join(expected)}")
