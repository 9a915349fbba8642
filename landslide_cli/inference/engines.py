"""What runs a model, behind one small protocol. The only place that knows ONNX Runtime and OpenVINO."""

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from landslide_cli.card import ModelCard
from landslide_cli.config import Device
from landslide_cli.errors import InputError, ModelError, needs_extra
from landslide_cli.geo.bands import TERRAIN_BANDS
from landslide_cli.inference.mixed import Part, parts

log = logging.getLogger(__name__)

Inputs = Mapping[str, NDArray[np.float32]]

DEVICES: Final[tuple[str, ...]] = get_args(Device)
ENGINES: Final = DEVICES[1:]
"""Fastest first. The last is ONNX Runtime in float32 on the processor, the reference that all others must match."""
REDUCED: Final = ("tensorrt", "openvino-bf16", "openvino-mixed")
"""Engines that compute with fewer bits: they may change a map, and are not used untried."""
POINT: Final = 0.01
"""By how much a probability may differ from the reference's: one percent point, the step of a map."""
OUTPUT: Final = "probability"
MOST_STREAMS: Final = 4
"""Windows that OpenVINO runs at once at most: each needs memory of its own."""
_PROVIDERS: Final = {
    "tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"
}  # fmt: skip


class Engine(Protocol):
    """Runs a model on windows."""

    card: ModelCard
    provider: str
    """What the model really runs on: one of `ENGINES`, or `numpy` for a detector."""
    calls: int
    """How many calls of `run` may be under way at once to good effect."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W) in 0..1.

        Args:
            inputs: `pre` and `post` (N, B, H, W) as digital numbers (10000 = reflectance 1), and
                `terrain` (N, 4, H, W) where it is known; all float32.
        """


class OnnxEngine:
    """A self-describing ONNX file in ONNX Runtime."""

    calls = 1

    def __init__(self, path: Path, provider: str = "cpu", *, optimised: bool = True) -> None:
        """Load `path` for `provider`: `tensorrt`, `cuda` or `cpu`; not `optimised` is quicker, to read the card.

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
        if not optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
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
        self.path = path
        self.provider = provider
        self._names = [value.name for value in self._session.get_inputs()]
        _check_inputs(self._names, self.card, path)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W); see `Engine.run`."""
        binding = self._session.io_binding()
        for name in self._names:
            binding.bind_cpu_input(name, np.ascontiguousarray(inputs[name]))
        # What lies between the layers stays on the device; the answer alone comes back.
        binding.bind_output(OUTPUT, "cpu" if self.provider == "cpu" else "cuda")
        self._session.run_with_iobinding(binding)
        probability: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return probability


class OpenVinoEngine:
    """A self-describing ONNX file in OpenVINO, on the processor: a window to a stream, several streams at once."""

    calls = 2
    """While the last windows of one call are under way, streams that are done begin with the next."""

    def __init__(self, path: Path, card: ModelCard, name: str = "openvino") -> None:
        """Compile `path`, whose card is `card`.

        Args:
            path: the model.
            card: its card.
            name: `openvino` computes in float32; `openvino-bf16` in bfloat16, twice as fast where the processor has
                instructions for it; `openvino-mixed` in bfloat16 where that does little harm, see `mixed.parts`.

        Raises:
            ModelError: OpenVINO cannot run the model, or so not.
        """
        import openvino

        self.card = card
        self.provider = name
        self._path = path
        self._core = openvino.Core()
        self._streams = min(processors(), MOST_STREAMS)
        self._pool = ThreadPoolExecutor(self._streams)
        self._idle: dict[tuple[int, ...], SimpleQueue[_Stream]] = {}
        try:
            self._model: Any = self._core.read_model(str(path))
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot read {path} ({str(error).splitlines()[0][:200]})") from error
        self._names = [value.get_any_name() for value in self._model.inputs]
        _check_inputs(self._names, card, path)
        self._compile((card.tile_px, card.tile_px))

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W); see `Engine.run`."""
        windows, _, *shape = inputs["pre"].shape
        idle = self._idle.get(tuple(shape)) or self._compile(tuple(shape))
        probability = np.empty((windows, 1, *shape), np.float32)

        def run_one(number: int) -> None:
            stream = idle.get()
            try:
                probability[number] = stream.run({name: inputs[name][number : number + 1] for name in self._names})
            finally:
                idle.put(stream)

        for _ in self._pool.map(run_one, range(windows)):
            pass
        return probability

    def _compile(self, shape: tuple[int, ...]) -> "SimpleQueue[_Stream]":
        """Compile for windows of `shape`: what is known beforehand is not computed each time."""
        channels = {"terrain": len(TERRAIN_BANDS)}
        settings = {
            "NUM_STREAMS": self._streams,
            "INFERENCE_NUM_THREADS": processors(),
            # Parts of one network would each hold their threads to the same processors, and wait for each other.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = self._model.clone()
            model.reshape({name: [1, channels.get(name, len(self.card.bands)), *shape] for name in self._names})
            whole = Part(model, "bf16" if self.provider == "openvino-bf16" else "f32", tuple(self._names), (OUTPUT,))
            compiled = [
                (
                    self._core.compile_model(
                        part.model, "CPU", settings | {"INFERENCE_PRECISION_HINT": part.precision}
                    ),
                    part,
                )
                for part in (parts(model) if self.provider == "openvino-mixed" else [whole])
            ]
            idle: SimpleQueue[_Stream] = SimpleQueue()
            for _ in range(self._streams):
                idle.put(_Stream(compiled))
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path} ({str(error).splitlines()[0][:200]})") from error
        return self._idle.setdefault(shape, idle)


class _Stream:
    """Runs one window at a time through the parts of a network, which pass on what they made without copying it."""

    def __init__(self, compiled: list[tuple[Any, Part]]) -> None:
        self._requests: list[tuple[Any, dict[str, int]]] = []
        made: dict[str, Any] = {}
        for network, part in compiled:
            request = network.create_infer_request()
            for number, name in enumerate(part.inputs):
                if name in made:
                    request.set_input_tensor(number, made[name])
            made |= {name: request.get_output_tensor(number) for number, name in enumerate(part.outputs)}
            self._requests.append((request, {name: n for n, name in enumerate(part.inputs) if name not in made}))
        self._answer = made[OUTPUT]

    def run(self, window: Inputs) -> NDArray[np.float32]:
        """Return the probability (1, 1, H, W) of one window; the next call overwrites it."""
        from openvino import Tensor

        held = {name: np.ascontiguousarray(image) for name, image in window.items()}
        for request, inputs in self._requests:
            for name, number in inputs.items():
                request.set_input_tensor(number, Tensor(held[name], shared_memory=True))
            request.infer()
        probability: NDArray[np.float32] = self._answer.data
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
        return needs_extra("this engine", "openvino", "openvino")
    # In 3 of 13 processes with both, what OpenVINO compiled answered wrongly, by up to 99 points (OpenVINO 2026.4,
    # torch 2.14); others with both ended in a segmentation fault. Without torch it happened once in some 20, on a busy
    # machine: engines are tried on windows of the event before they are used.
    if "torch" in sys.modules:
        return "torch is loaded in the same process, beside which its answers can be wrong"
    import openvino

    if name in REDUCED and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "the processor has no instructions for bfloat16"
    return None


def load(path: Path, name: str, reference: OnnxEngine) -> Engine:
    """Load the model `path` into the engine `name`, one of `ENGINES`.

    Args:
        path: the model.
        name: the engine.
        reference: the same model on `cpu`.

    Raises:
        ModelError: the engine is not to be had here, or cannot run the model.
    """
    if name == "cpu":
        return reference
    if (reason := why_not(name)) is not None:
        raise ModelError(reason)
    if name in _PROVIDERS:
        return OnnxEngine(path, name)
    return OpenVinoEngine(path, reference.card, name)


def difference(engine: Engine, samples: Iterable[Inputs], answers: Iterable[NDArray[np.float32]]) -> float:
    """Return by how much an engine's probabilities in `samples` differ at most from the reference's `answers`."""
    pairs = zip(samples, answers, strict=True)
    return max((float(np.abs(engine.run(sample) - answer).max()) for sample, answer in pairs), default=0.0)


def open_model(path: Path, device: str = "auto", samples: Iterable[Inputs] | None = None) -> Engine:
    """Load the model `path` into an engine; see `choose_engine`.

    Args:
        path: the model.
        device: one of `DEVICES`.
        samples: windows to try engines on.

    Returns:
        The engine.

    Raises:
        InputError: the device is unknown.
        ModelError: the file is no ONNX model, has no card, or not the inputs its card promises.
    """
    if device not in DEVICES:
        raise InputError(f"--device {device!r} is unknown; use {', '.join(DEVICES)}")
    return choose_engine(OnnxEngine(path), device, samples)


def choose_engine(reference: OnnxEngine, device: str, samples: Iterable[Inputs] | None = None) -> Engine:
    """Return the fastest engine that gives the same map as the reference, or the engine named.

    Args:
        reference: the model in ONNX Runtime on the processor.
        device: one of `DEVICES`.
        samples: windows to try engines on. `auto` passes over an engine that differs by more than `POINT` anywhere in
            them; without samples it passes over all of `REDUCED`. An engine that is named is used, with a warning if
            it differs.

    Returns:
        The engine; the reference where no other can be used.
    """
    path = reference.path
    tried = list(samples or ())
    answers: list[NDArray[np.float32]] = []
    for name in ENGINES if device == "auto" else (device,):
        if name == "cpu" or (device == "auto" and not tried and name in REDUCED):
            continue
        try:
            engine = load(path, name, reference)
            # Once for all engines: the reference is the slowest.
            answers = answers or [reference.run(sample) for sample in tried]
            apart = difference(engine, tried, answers)
        except Exception as error:  # Whatever a driver does not like, there is the reference.
            # That an engine is not there, or not for this kind of network, is no fault.
            level = logging.INFO if name != device and isinstance(error, ModelError) else logging.WARNING
            instead = "; the model runs on the cpu" if name == device else ""
            log.log(level, "%s cannot be used here: %s%s", name, str(error).splitlines()[0][:200], instead)
            continue
        if apart <= POINT:
            return engine
        if name == device:
            log.warning("%s changes the map by up to %.1f percent points", name, 100 * apart)
            return engine
        log.warning("%s would change the map by up to %.1f percent points: not used", name, 100 * apart)
        del engine  # Its memory is given back before the next one is loaded.
    return reference


def _check_inputs(names: list[str], card: ModelCard, path: Path) -> None:
    expected = ["pre", "post", *(["terrain"] if card.terrain else [])]
    if sorted(names) != sorted(expected):
        raise ModelError(f"{path} reads {', '.join(names)}, but its card promises {', '.join(expected)}")
