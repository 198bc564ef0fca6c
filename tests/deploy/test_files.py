"""The files to deploy with are read by the programs that they are for, and name settings and files that exist."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.data.debian import program
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def example() -> dict[str, str]:
    """Variables of the example, as Compose reads them."""
    lines = (DEPLOY / "example.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text: str) -> str:
    """A value of the Compose file with the variables of the example put in; fails for one that is missing."""
    return re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: example()[found[1]], text)


def test_services_mount_files_that_exist_and_volumes_that_are_declared(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"al-loop", "scaneo", "caddy", "prometheus", "grafana"}
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            source = filled(mount).split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), (name, source)
            elif not source.startswith("/"):
                assert source in compose["volumes"], (name, source)


def test_images_are_built_from_what_is_there(compose: dict[str, Any]) -> None:
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert compose["services"]["al-loop"]["build"]["target"] in targets
    assert (DEPLOY / compose["services"]["scaneo"]["build"]["dockerfile"]).is_file()


def test_images_have_the_command(tmp_path: Path) -> None:
    made = re.search(r"^RUN (printf .*?)\n(?=\w)", (ROOT / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    assert made
    script = made[1].replace("/usr/local/bin/al-loop", str(tmp_path / "al-loop")).replace("/app", str(ROOT))
    subprocess.run(["/bin/sh", "-c", script], check=True, timeout=PATIENCE_S)
    done = subprocess.run(
        [tmp_path / "al-loop", "--version"], cwd=tmp_path, env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("al-loop "), done.stdout


def test_service_starts_with_the_settings_of_the_compose_file(compose: dict[str, Any], tmp_path: Path) -> None:
    environment = {name: filled(value) for name, value in compose["services"]["al-loop"]["environment"].items()}
    settings = Settings.from_env(environment, host="0.0.0.0", imagery=str(tmp_path))  # noqa: S104  # in its container
    assert set(settings.roles.values()) == {"ops", "annotate", "predict"}
    assert settings.public_url == "https://maps.example.org"


def test_caddy_takes_its_file() -> None:
    command = [program("caddy", "caddy"), "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    done = subprocess.run(command, env=example(), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_takes_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-annotator")
    for file in (DEPLOY / "prometheus").iterdir():
        text = file.read_text().replace("/run/secrets/al-loop-token", str(tmp_path / "token"))
        (tmp_path / file.name).write_text(text)
    command = [program("prometheus", "promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_takes_the_unit_and_the_service_its_settings(tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / "al-loop.service").read_text()
    (environment,) = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    settings = Settings.from_env(dict(pair.split("=", 1) for pair in environment.split()), imagery=str(tmp_path))
    assert settings.data == Path("/srv/al-loop")
    copy = tmp_path / "al-loop.service"
    copy.write_text(unit.replace("/srv/al-loop-env/bin/al-loop", sys.executable).replace("User=al-loop", "User=root"))
    done = subprocess.run(
        [program("systemd", "systemd-analyze"), "verify", "--man=no", str(copy)],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
