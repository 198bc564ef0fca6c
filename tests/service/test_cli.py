"""What scripts rely on: JSON, whole lines in pipes, exit codes, and a sentence instead of a traceback."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from al_loop import __version__
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.rounds import Round, RoundState
from al_loop.loop import utc_now
from al_loop.store import LabelStore
from service.app import create_app
from service.cli import main
from service.commands.output import MEANINGS, console
from service.commands.rounds import round_table
from service.settings import Settings
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import CLASSES, running_server, write_pool
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
NAME = "a-campaign-with-a-name-that-is-longer-than-any-column-of-a-terminal-64"[:64]
HEAVY = ("duckdb", "onnxruntime", "torch", "rasterio", "numpy")
Json = Callable[..., Any]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a campaign of 6 scenes, a model that serves and a round that was queued and cancelled."""
    folder = tmp_path_factory.mktemp("service")
    write_pool(folder / "imagery", 6)
    settings = Settings(data=folder / "data", imagery=str(folder / "imagery"))
    layout = DataLayout(settings.data)
    with running_server(create_app(settings)) as address, httpx.Client(base_url=address) as http:
        task = {"task": "classification", "classes": CLASSES}
        body = {"name": NAME, "tasks": [task], "root": str(folder / "imagery"), "policy": {"new_labels": None}}
        assert http.post("/campaigns", json=body).status_code == 201
        assert http.post(f"/campaigns/{NAME}/samples", json={"scan": True}).status_code == 201
    version = make_tiny_onnx(
        layout.models(NAME), campaign=NAME, bands=(1, 2, 3), source_bands=3, tasks=["classification"]
    )
    store = LabelStore.open(layout.database)
    campaign_id = store.campaigns.get(NAME).campaign_id
    store.versions.add(campaign_id, version.name, 1, utc_now())
    store.versions.promote(campaign_id, version.name, reason="test", now=utc_now())
    store.close()
    with running_server(create_app(settings)) as address:
        yield address


@pytest.fixture
def printed(url: str, capfd: pytest.CaptureFixture[str]) -> Json:
    """Run a command with --json; its standard output as it was parsed."""

    def run(*arguments: str) -> Any:
        capfd.readouterr()
        assert main([*arguments, "--json", "--service", url]) == 0
        return json.loads(capfd.readouterr().out)

    return run


def al_loop(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own, into pipes."""
    program = str(Path(sys.executable).with_name("al-loop"))
    surroundings = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")}
    return subprocess.run(
        [program, *arguments],
        env=surroundings | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_status_as_json_is_what_the_service_answers(printed: Json, url: str) -> None:
    [campaign] = printed("status")
    answered = httpx.get(f"{url}/campaigns/{NAME}").json()
    assert campaign | {"scoring": None} == answered | {"scoring": None}, "scoring goes on between the two"
    one = printed("status", NAME)
    assert set(one) == {"campaign", "savings", "rounds"}
    assert one["campaign"]["name"] == NAME
    assert one["savings"]["verdict"] == "not known yet"
    assert one["rounds"] == []


def test_models_agreement_assists_and_links_as_json(printed: Json) -> None:
    [model] = printed("model", "list", NAME)
    assert model["current"] is True
    assert [task["task"] for task in printed("agreement", NAME)["tasks"]] in ([], ["classification"])
    assert printed("assists", NAME) == {"answered": [], "unanswered": []}
    assert printed("scaneo", "status") == []


def test_round_of_an_empty_campaign_names_the_remedy(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["round", "list", NAME, "--json", "--service", url]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert main(["round", "watch", NAME, "--service", url]) == 2
    assert "al-loop round start" in capfd.readouterr().err


def test_piped_output_is_complete_and_plain(url: str) -> None:
    done = al_loop("status", NAME, "--service", url, COLUMNS="40")
    assert done.returncode == 0
    assert NAME in done.stdout
    assert "needs 20 more random control labels" in done.stdout
    for text in ("\x1b", "\u2026", "..."):
        assert text not in done.stdout


def test_closed_streams_are_no_fault() -> None:
    program = str(Path(sys.executable).with_name("al-loop"))
    for closed in (">&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f'"$0" --version {closed}', program], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_text_with_brackets_is_printed_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    nothing = dict.fromkeys(Round.__struct_fields__) | {"log": []}
    failed = Round(**(nothing | {"number": 1, "state": RoundState.FAILED, "error": "no [/bands] in [red]"}))
    console().print(round_table([failed]))
    assert "no [/bands] in [red]" in capfd.readouterr().out


def test_stopping_a_command_has_an_exit_code_of_its_own() -> None:
    program = str(Path(sys.executable).with_name("al-loop"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watch = [program, "round", "watch", "fields", "1", "--service", f"127.0.0.1:{listener.getsockname()[1]}"]
        # what a script starts in the background inherits an ignored SIGINT
        command = ["env", "--default-signal=INT", *watch]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = listener.accept()  # it waits for an answer
            with connection:
                connection.recv(1000)
                process.send_signal(signal.SIGINT)
                try:
                    _, said = process.communicate(timeout=PATIENCE_S)
                finally:
                    process.kill()
    assert process.returncode == 130
    assert said.strip() == "al-loop: stopped"


def test_address_needs_no_scheme(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--service", url.removeprefix("http://")]) == 0
    assert NAME in capfd.readouterr().out


@pytest.mark.parametrize("address", ["ftp://localhost", "http://localhost:port", ""])
def test_address_that_is_none_is_a_usage_error(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--service", address]) == 2
    said = capfd.readouterr().err
    assert said.startswith("al-loop: Invalid value for --service:")
    assert said.count("\n") == 1


def test_token_that_no_header_can_carry_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--token", "clé"]) == 2
    assert "--token: an HTTP header" in capfd.readouterr().err


def test_unknown_option_is_one_sentence_and_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--bogus"]) == 2
    assert capfd.readouterr().err == "al-loop: No such option: --bogus; see `al-loop status --help`\n"


@pytest.mark.parametrize(
    "arguments", [["export", NAME, "--out"], ["simulate", ".", "--out"]], ids=["export", "simulate"]
)
def test_file_that_cannot_be_written_is_refused(
    arguments: list[str], url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    talk = ["--service", url] if arguments[0] == "export" else []
    assert main([*arguments, str(tmp_path / "file" / "out"), *talk]) == 2
    said = capfd.readouterr().err
    assert str(tmp_path / "file") in said
    assert "Traceback" not in said


def test_file_that_exists_is_overwritten_with_force_only(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "labels.geojson"
    file.write_text("precious")
    export = ["export", NAME, "--out", str(file), "--service", url]
    assert main(export) == 2
    assert "exists already; say --force" in capfd.readouterr().err
    assert file.read_text() == "precious"
    assert main([*export, "--force"]) == 0
    assert json.loads(file.read_text())["type"] == "FeatureCollection"
    (tmp_path / "curve.json").write_text("precious")
    assert main(["simulate", ".", "--out", str(tmp_path)]) == 2
    assert "exists already; say --force" in capfd.readouterr().err


def test_simulation_names_the_strategies_and_what_is_not_installed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate = ["simulate", str(tmp_path), "--out", str(tmp_path / "out"), "--strategy", "foo"]
    assert main(simulate) == 2
    said = capfd.readouterr().err
    assert "no strategy 'foo'; it is one of random, least_confidence" in said
    assert "$" not in said
    monkeypatch.setattr("al_loop.training.installed.PACKAGES", ("torch_of_nobody",))
    assert main(simulate) == 2
    assert "torch_of_nobody not installed): pip install 'al-loop[train]'" in capfd.readouterr().err


def test_al_loop_alone_prints_its_help_and_a_typo_is_understood() -> None:
    for arguments in ([], ["help"]):
        done = al_loop(*arguments)
        assert done.returncode == 0
        assert done.stdout == al_loop("--help").stdout
    done = al_loop("staus")
    assert done.returncode == 2
    assert "Did you mean 'status'?" in done.stderr


def test_missing_and_wrong_tokens_are_explained(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tokens = "ops=ops-secret-1,predict=predict-secret-1"
    with running_server(create_app(Settings(data=tmp_path / "data", imagery=str(tmp_path), tokens=tokens))) as guarded:
        assert main(["status", "--service", guarded]) == 2
        said = capfd.readouterr().err
        assert "--token" in said
        assert "Bearer" not in said
        assert main(["status", "--service", guarded, "--token", "predict-secret-1"]) == 2
        assert "'predict'" in capfd.readouterr().err
        assert main(["status", "--service", guarded, "--token", "ops-secret-1"]) == 0


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """A web server that is no al-loop service."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 3), (502, 2)])
def test_answer_of_something_else_is_named(status: int, code: int, capfd: pytest.CaptureFixture[str]) -> None:
    with answering(b"<html>hello</html>", status) as other:
        assert main(["status", "--service", other]) == code
    said = capfd.readouterr().err
    assert other in said
    assert "html" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", [["status"], ["round", "watch", "fields", "1"]], ids=["request", "stream"])
def test_connection_that_breaks_has_an_exit_code_of_its_own(
    command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):  # the test closes the listener
                while True:  # a request that only reads is sent again
                    connection, _ = listener.accept()
                    connection.recv(1000)
                    connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert main([*command, "--service", f"127.0.0.1:{listener.getsockname()[1]}"]) == 3
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    said = capfd.readouterr().err
    assert "broke before the answer was complete" in said
    assert "Traceback" not in said


def test_service_that_does_not_answer_in_time_has_an_exit_code_of_its_own(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("al_loop.client.transport.TIMEOUT", httpx.Timeout(0.2))
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts, nobody answers
        assert main(["status", "--service", f"127.0.0.1:{listener.getsockname()[1]}"]) == 3
    assert "did not answer in time" in capfd.readouterr().err


def test_stream_of_a_service_that_is_down_names_the_remedy(
    free_tcp_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["round", "watch", "fields", "1", "--service", f"127.0.0.1:{free_tcp_port}"]) == 2
    assert "al-loop serve" in capfd.readouterr().err


def test_version_help_and_exit_codes() -> None:
    assert al_loop("--version").stdout == f"al-loop {__version__}\n"
    done = al_loop("--help")
    assert done.returncode == 0
    for panel in ("Service", "Campaigns", "Training", "Quality", "SCANEO"):
        assert f"\u2500 {panel} \u2500" in done.stdout
    for code in MEANINGS:
        assert f" {code.value}: " in done.stdout
    assert al_loop("status", "-h").stdout == al_loop("status", "--help").stdout


@pytest.mark.parametrize(("words", "offered"), [("al-loop st", {"status"}), ("al-loop round ", {"start", "watch"})])
def test_shell_completes_commands(words: str, offered: set[str]) -> None:
    position = str(len(words.split(" ")) - 1)
    done = al_loop(_AL_LOOP_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    assert done.returncode == 0
    assert offered <= set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import al_loop.client.http",
        "from service.cli import main; main(['--help'])",
        "from service.cli import main; main(['status', '--help'])",
        "from service.cli import main; assert main(['scaneo', 'status', '--service', '127.0.0.1:1']) == 2",
    ],
)
def test_commands_that_talk_to_the_service_load_nothing_heavy(code: str) -> None:
    check = f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
