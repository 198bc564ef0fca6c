"""Prediction of a scene as a subprocess: `python -m models.predict_scene SPEC.json --out DIR [--supervised]`.

Reads a `SceneSpec`, writes the file (`--file`, or `DIR/scene.tif`, `DIR/scene.geojson`) and `DIR/result.json`, and
reports in `progress.jsonl`, phases "predicting" and "writing". What is done is kept in a folder beside the file, whose
name ends in `.part`: another run with the same file goes on from there. A known failure exits with code 2 after one
sentence in `DIR/error.txt`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models.errors import ModelsError
from models.files import write_atomically
from models.progress import Progress

ERROR_FILE = "error.txt"
RESULT_FILE = "result.json"
KNOWN_FAILURE = 2
CACHE_MB = 256


def limit_block_cache() -> None:
    """Let GDAL keep at most `CACHE_MB` of decoded blocks, not its default of 5 per cent of the machine's memory.

    Before the first raster is read.
    """
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MB))


def main(arguments: Sequence[str]) -> int:
    """Run one prediction; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.predict_scene", description="Predict one scene.")
    parser.add_argument("spec", type=Path, help="spec.json, see models.inference.scenes.spec")
    parser.add_argument("--out", type=Path, required=True, help="existing directory for the result")
    parser.add_argument("--file", type=Path, help="what is written; DIR/scene.tif or .geojson if left out")
    parser.add_argument("--supervised", action="store_true", help="ask on stdin before working, die with the parent")
    options = parser.parse_args(arguments)
    limit_block_cache()
    from models.inference.scenes.run import predict_scene  # after the limit: it loads GDAL
    from models.inference.scenes.spec import SceneSpec

    try:
        with Progress(options.out, supervised=options.supervised) as progress:
            entered: list[str] = []

            def report(phase: str, done: int, total: int, message: str) -> None:
                if phase not in entered:
                    entered.append(phase)
                    progress.enter(phase, total=total, message=message)
                progress.step(done, total, message=message)

            spec = msgspec.json.decode(options.spec.read_bytes(), type=SceneSpec)
            file = options.file or options.out / f"scene.{spec.format}"
            result = predict_scene(spec, file, report=report)
            with write_atomically(options.out / RESULT_FILE) as target:
                target.write(msgspec.json.encode(result))
    except (ModelsError, msgspec.MsgspecError, OSError) as error:
        (options.out / ERROR_FILE).write_text(f"{error}\n")
        return KNOWN_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
