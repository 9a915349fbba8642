"""Runs models behind one small protocol; the only module that uses ONNX Runtime and OpenVINO directly."""

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
"""Fastest first. The last is ONNX Runtime in float32 on the CPU, the reference that all others must match."""
REDUCED: Final = ("tensorrt", "openvino-bf16", "openvino-mixed")
"""Engines with reduced precision. They can change a map, so `auto` uses them only after a test."""
POINT: Final = 0.01
"""Largest allowed difference of a probability from the reference: one percentage point, the step of a map."""
OUTPUT: Final = "probability"
MOST_STREAMS: Final = 4
"""OpenVINO runs at most this many windows at once, because each needs its own memory."""
_PROVIDERS: Final = {
    "tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"
}  # fmt: skip


class Engine(Protocol):
    """Runs a model on windows."""

    card: ModelCard
    provider: str
    """Where the model runs: one of `ENGINES`, or `numpy` for a detector."""
    calls: int
    """Useful number of parallel calls of `run`."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run the model on N windows.

        Args:
            inputs: float32 arrays: `pre` and `post` (N, B, H, W), digital numbers (10000 = reflectance 1), and
                `terrain` (N, 4, H, W) if the event has terrain.

        Returns:
            (N, 1, H, W) float32 probabilities, 0..1.
        """


class OnnxEngine:
    """A self-describing ONNX file in ONNX Runtime."""

    calls = 1

    def __init__(self, path: Path, provider: str = "cpu", *, optimised: bool = True) -> None:
        """Load a model.

        Args:
            path: the file.
            provider: `tensorrt`, `cuda` or `cpu`.
            optimised: False loads faster, to read only the card.

        Raises:
            ModelError: the file is not an ONNX model, has no card, or lacks inputs that its card promises; or the
                provider is not available.
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
        # Intermediate results stay on the device; only the answer is copied back.
        binding.bind_output(OUTPUT, "cpu" if self.provider == "cpu" else "cuda")
        self._session.run_with_iobinding(binding)
        probability: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return probability


class OpenVinoEngine:
    """A self-describing ONNX file in OpenVINO on the CPU: one window per stream, several streams at once."""

    calls = 2
    """Idle streams start on the next call while the last windows of the current one still run."""

    def __init__(self, path: Path, card: ModelCard, name: str = "openvino") -> None:
        """Compile a model.

        Args:
            path: the model.
            card: card of the model.
            name: `openvino` computes in float32; `openvino-bf16` in bfloat16, twice as fast if the processor supports
                it; `openvino-mixed` uses bfloat16 only where that does little harm, see `mixed.parts`.

        Raises:
            ModelError: OpenVINO cannot run the model, or cannot run it with this precision.
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
        """Compile for windows of `shape`; a fixed shape lets OpenVINO compute constants in advance."""
        channels = {"terrain": len(TERRAIN_BANDS)}
        settings = {
            "NUM_STREAMS": self._streams,
            "INFERENCE_NUM_THREADS": processors(),
            # Pinned threads of several parts of one network would share processors and wait for each other.
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
    """Runs one window at a time through the parts of a network, which pass results on without copying."""

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
    """Run any ONNX file, with or without card, in ONNX Runtime on the CPU.

    Args:
        path: the file.
        inputs: input arrays by name.

    Returns:
        The first output, float32.

    Raises:
        ModelError: the file cannot be run with these inputs.
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
    """Return the number of processors that this process can use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def why_not(name: str) -> str | None:
    """Return why the engine `name` of `ENGINES` cannot be used here, and what to do; None if it can be used."""
    if name == "cpu":
        return None
    return _why_no_gpu(name) if name in _PROVIDERS else _why_no_openvino(name)


def _why_no_gpu(name: str) -> str | None:
    import onnxruntime

    if _PROVIDERS[name] not in onnxruntime.get_available_providers():
        return "this ONNX Runtime was built without it; on x86-64 install onnxruntime-gpu"
    if find_library("cuda") is None:
        return "no CUDA device: the driver library was not found"
    return "TensorRT is not installed" if name == "tensorrt" and find_library("nvinfer") is None else None


def _why_no_openvino(name: str) -> str | None:
    if find_spec("openvino") is None:
        return needs_extra("this engine", "openvino", "openvino")
    # With torch in the same process, answers of OpenVINO were wrong in 3 of 13 processes, by up to 99 points (OpenVINO
    # 2026.4, torch 2.14); other processes ended in a segmentation fault. Without torch, answers were wrong in one of
    # about 20 processes, on a busy machine. So engines are tried on windows of the event before use.
    if "torch" in sys.modules:
        return "torch is loaded in the same process, which can make its answers wrong"
    import openvino

    if name in REDUCED and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "the processor has no instructions for bfloat16"
    return None


def load(path: Path, name: str, reference: OnnxEngine) -> Engine:
    """Load a model into an engine.

    Args:
        path: the model.
        name: the engine, one of `ENGINES`.
        reference: the same model on `cpu`.

    Returns:
        The engine.

    Raises:
        ModelError: the engine is not available here, or cannot run the model.
    """
    if name == "cpu":
        return reference
    if (reason := why_not(name)) is not None:
        raise ModelError(reason)
    if name in _PROVIDERS:
        return OnnxEngine(path, name)
    return OpenVinoEngine(path, reference.card, name)


def difference(engine: Engine, samples: Iterable[Inputs], answers: Iterable[NDArray[np.float32]]) -> float:
    """Return the largest difference between an engine's probabilities for `samples` and the reference `answers`."""
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
        ModelError: the file is not an ONNX model, has no card, or lacks inputs that its card promises.
    """
    if device not in DEVICES:
        raise InputError(f"--device {device!r} is unknown; use {', '.join(DEVICES)}")
    return choose_engine(OnnxEngine(path), device, samples)


def choose_engine(reference: OnnxEngine, device: str, samples: Iterable[Inputs] | None = None) -> Engine:
    """Return the fastest engine that gives the same map as the reference, or the engine that `device` names.

    Args:
        reference: the model in ONNX Runtime on the CPU.
        device: one of `DEVICES`.
        samples: windows to try engines on. `auto` skips an engine that differs by more than `POINT` anywhere in them;
            without samples it skips all of `REDUCED`. A named engine is always used, with a warning if it differs.

    Returns:
        The engine; the reference if no other engine can be used.
    """
    path = reference.path
    tried = list(samples or ())
    answers: list[NDArray[np.float32]] = []
    for name in ENGINES if device == "auto" else (device,):
        if name == "cpu" or (device == "auto" and not tried and name in REDUCED):
            continue
        try:
            engine = load(path, name, reference)
            # Run once for all engines, because the reference is the slowest.
            answers = answers or [reference.run(sample) for sample in tried]
            apart = difference(engine, tried, answers)
        except Exception as error:  # Drivers raise any kind of error; the reference always works.
            # A missing engine, or one that does not support this network, is not worth a warning.
            level = logging.INFO if name != device and isinstance(error, ModelError) else logging.WARNING
            instead = "; the model runs on the cpu" if name == device else ""
            log.log(level, "%s cannot be used here: %s%s", name, str(error).splitlines()[0][:200], instead)
            continue
        if apart <= POINT:
            return engine
        if name == device:
            log.warning("%s changes the map by up to %.1f percentage points", name, 100 * apart)
            return engine
        log.warning("%s would change the map by up to %.1f percentage points: not used", name, 100 * apart)
        del engine  # Free its memory before the next engine is loaded.
    return reference


def _check_inputs(names: list[str], card: ModelCard, path: Path) -> None:
    expected = ["pre", "post", *(["terrain"] if card.terrain else [])]
    if sorted(names) != sorted(expected):
        raise ModelError(f"{path} reads {', '.join(names)}, but its card promises {', '.join(expected)}")
