"""Read by every Python that starts with this folder on its PYTHONPATH: its programs are forks, as those of tests are.

See `forking` in `tests/data/forked_programs.py`. Nothing is imported before al-loop is, and nothing changed elsewhere.
"""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PATCHED = "al_loop.runtime.processes"


class Forking(MetaPathFinder):
    """Lets the module that starts programs ask the process of a test run that they are forked from."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != PATCHED:
            return None
        spec = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            begin = module.start_program  # type: ignore[attr-defined]

            def start_program(program: list[str], *rest: object) -> object:
                if not program[0].startswith(("models.", "al_loop.")):
                    return begin(program, *rest)
                from tests.data.forked_programs import ForkedProgram, join

                join(os.environ["TEST_FORKS"])
                return ForkedProgram(program, *rest)  # type: ignore[arg-type]

            module.start_program = start_program  # type: ignore[attr-defined]

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec


if "TEST_FORKS" in os.environ:
    sys.meta_path.insert(0, Forking())
