"""A Ray cluster on this machine: a head without CPUs, and two workers of one CPU each; and S3 as moto speaks it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from al_loop.runtime.cluster.config import NAMESPACE, RayConfig
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.executor import Executor
from models.progress import ProgressLine
from tests.data.forked_programs import forking, forks
from tests.waiting import PATIENCE_S

STORE_BYTES = 80_000_000

UNWATCHED = {"no_monitor": True, "include_log_monitor": False}
"""Without the processes that scale a cluster and copy logs, which are not needed here, and take a second each."""

Start = Callable[..., "subprocess.Popen[bytes]"]


class Machines:
    """A head and its workers, which may be lost."""

    def __init__(self, notes: Path) -> None:
        """Start them.

        Args:
            notes: File for the programs of the machines, which are forks; see `forking`.
        """
        from ray.cluster_utils import Cluster  # here: two seconds

        self._head: dict[str, Any] = self._sizes(0) | {"include_dashboard": False, **UNWATCHED}
        self._notes = notes
        self.cluster = Cluster(initialize_head=True, head_node_args=self._head)
        self.workers: list[Any] = []
        self.refill()

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def refill(self) -> None:
        """Two workers."""
        with patch.dict(os.environ, forking(self._notes)):
            while len(self.workers) < 2:
                self.workers.append(self.cluster.add_node(**self._sizes(1)))

    def lose(self, worker: Any) -> None:
        """A worker's machine dies."""
        self.workers.remove(worker)
        self.cluster.remove_node(worker, allow_graceful=False)

    def worker_of(self, pid: int) -> Any:
        """The worker below which a process runs."""
        ancestors = []
        while pid > 1:
            ancestors.append(pid)
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        return next(
            worker
            for worker in self.workers
            if any(process.process.pid in ancestors for some in worker.all_processes.values() for process in some)
        )

    def worker_of_rank(self, rank: int) -> Any:
        """The worker with the latest program of a rank."""
        return self.worker_of(next(fork.parent for fork in reversed(forks(self._notes)) if fork.rank == str(rank)))

    def programs(self) -> list[str]:
        """Names of the programs that are at work or wait for a machine."""
        from ray._private.state import GlobalState
        from ray._raylet import GcsClientOptions
        from ray.core.generated.gcs_pb2 import ActorTableData

        state = GlobalState()
        state._initialize_global_state(GcsClientOptions.create(self.address, None, True, True))
        found = map(ActorTableData.FromString, state._connect_and_get_accessor().get_actor_table(None, None))
        names = [actor.name for actor in found if actor.state != ActorTableData.DEAD]
        state.disconnect()
        return names

    def kill(self, *programs: str) -> None:
        """Kill the actors of programs."""
        code = f"import ray; ray.init({self.address!r}, namespace={NAMESPACE!r}, log_to_driver=False)"
        code += "".join(f"; ray.kill(ray.get_actor({name!r}))" for name in programs)
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=PATIENCE_S)

    @staticmethod
    def _sizes(cpus: int) -> dict[str, Any]:
        return {"num_cpus": cpus, "object_store_memory": STORE_BYTES}


@pytest.fixture(scope="session")
def s3_access() -> Iterator[dict[str, str]]:
    """Variables that name an S3 server with the bucket `al-loop`; not set for long, as they change how others work."""
    import fsspec
    from moto.server import ThreadedMotoServer  # here: half a second

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    with set_for_a_while(found):
        fsspec.filesystem("s3").mkdir("al-loop")
    yield found
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@contextmanager
def set_for_a_while(variables: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def s3(s3_access: dict[str, str]) -> Iterator[str]:
    """Where artefacts are on an S3 server, which the environment names during the test."""
    with set_for_a_while(s3_access):
        yield "s3://al-loop/artefacts"


@pytest.fixture(scope="session")
def cluster(s3_access: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """One for all tests of a process, as it takes ten seconds of processor time to start. It knows where S3 is."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_memory_monitor_refresh_ms"] = "0"  # noqa: SIM112  # others' memory is no reason to kill ours
    with set_for_a_while(s3_access):
        found = Machines(tmp_path_factory.mktemp("machines") / "programs.txt")
    yield found
    found.cluster.shutdown()


@pytest.fixture
def machines(cluster: Machines, s3: str) -> Machines:
    """The cluster, with both of its workers whatever the test before has lost."""
    cluster.refill()
    return cluster


class Run:
    """A program at work in a thread, as `run_program` has it."""

    def __init__(self, executor: Executor, module: str, arguments: list[str], directory: Path) -> None:
        self.phases: list[str] = []
        self.lines: list[ProgressLine] = []
        self.cancelled = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(executor, module, arguments, directory), daemon=True)
        self._thread.start()

    def _work(self, executor: Executor, module: str, arguments: list[str], directory: Path) -> None:
        try:
            executor(
                module, arguments, directory, on_phase=self.phases.append, on_progress=self.lines.append,
                cancelled=self.cancelled,
            )  # fmt: skip
        except BaseException as error:  # the test looks at it
            self.error = error

    def end(self) -> None:
        """Wait for the end, and raise what was raised."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "timed out"
        if self.error is not None:
            raise self.error


MakeExecutor = Callable[..., RayExecutor]


@pytest.fixture
def make_executor(tmp_path: Path) -> MakeExecutor:
    def make(address: str, **settings: Any) -> RayExecutor:
        return RayExecutor(RayConfig(address=address, data=str(tmp_path), **settings))

    return make


@pytest.fixture
def ray_start(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a machine by `ray start`; Ray notices lost heads after 10 s instead of 60."""
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "10")
    ray, started = Path(sys.executable).with_name("ray"), list["subprocess.Popen[bytes]"]()
    logs = tmp_path_factory.mktemp("ray")

    def start(*arguments: str, before: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
        common = ["--block", "--disable-usage-stats", "--object-store-memory", str(STORE_BYTES)]
        common += ["--no-monitor", "--include-log-monitor=false"]  # as `UNWATCHED`
        with (logs / f"{len(started)}.txt").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [*before, str(ray), "start", *arguments, *common], stdout=log, stderr=log, start_new_session=True
                )
            )
        return started[-1]

    yield start
    for process in started:
        kill(process)


def kill(machine: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(machine.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    machine.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
