"""What several benchmarks measure alike: a command in a process of its own, its time and its peak memory."""

import json
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

# Not getrusage: on Linux its peak is inherited from the process that started this one.
_PRINT_PEAK = "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"


def process(code: str, *arguments: str) -> tuple[float, float, str]:
    """Run Python code in a process of its own; return its seconds, peak memory in MiB, and what it printed."""
    began = perf_counter()
    run = [sys.executable, "-c", f"{code}\n{_PRINT_PEAK}", *arguments]
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True)
    printed, _, peak = done.stdout.rstrip().rpartition("\n")
    return perf_counter() - began, int(peak) / 1024, printed


def command(arguments: Sequence[str]) -> tuple[float, float, dict[str, Any]]:
    """Run the command line in a process of its own; return its seconds, peak memory in MiB, and summary."""
    seconds, peak_mib, printed = process(
        "from landslide_cli.cli.app import app\n"
        f"try:\n    app({[*arguments, '--json']!r})\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    return seconds, peak_mib, json.loads(printed)
