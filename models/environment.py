"""What a training ran in: code, packages, machine. Bits of a model are only the same again where all of it is."""

import hashlib
import importlib.metadata
import os
import platform
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from al_loop_records.runs import Environment as Environment

LIBRARIES = (
    "torch",
    "timm",
    "segmentation-models-pytorch",
    "onnx",
    "onnxscript",
    "onnxruntime-gpu",
    "numpy",
    "scipy",
    "scikit-learn",
    "rasterio",
)
"""Packages that a model depends on, by the names of their distributions."""


def present_environment(*, threads: int, device: str, workers: int = 1) -> Environment:
    """What this process runs in.

    Args:
        threads: Of torch.
        device: That is trained on.
        workers: That train together.
    """
    return Environment(
        code_version=_version("al-loop") or "unknown",
        code_digest=code_digest(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=processor_name(),
        threads=threads,
        device=device,
        workers=workers,
        libraries={name: version for name in LIBRARIES if (version := _version(name)) is not None},
    )


def environment_differences(then: Environment, now: Environment) -> list[str]:
    """What is not the same, such as "torch 2.9.0 then, 2.9.1 now"; the digest of the code stands for its version."""
    told = []
    if then.code_digest != now.code_digest:
        same = then.code_version == now.code_version
        told.append(
            f"other sources of al-loop {now.code_version}"
            if same
            else f"al-loop {then.code_version} then, {now.code_version} now"
        )
    for name in ("python", "system", "processor", "threads", "device", "workers"):
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            told.append(f"{name} {before} then, {after} now")
    for name in sorted({*then.libraries, *now.libraries}):
        one, other = then.libraries.get(name, "missing"), now.libraries.get(name, "missing")
        if one != other:
            told.append(f"{name} {one} then, {other} now")
    return told


@cache
def code_digest() -> str:
    """sha256 over the paths and sources of the package `models`, 16 hexadecimal digits of it."""
    digest = hashlib.sha256()
    for name, source in sorted(_sources(files("models"), "")):
        digest.update(name.encode() + b"\0" + source + b"\0")
    return digest.hexdigest()[:16]


@cache
def processor_name() -> str:
    """Model name of the CPU as Linux tells it, otherwise what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, None) or platform.processor() or f"{os.cpu_count()} cores"


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
