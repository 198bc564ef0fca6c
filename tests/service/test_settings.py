"""Settings refuse what is unsafe or misspelt, at the start and by name."""

import re
from functools import partial
from pathlib import Path

import msgspec
import pytest

from models.inference.predictor import sees_gpu
from service.settings import Settings, SettingsError

SETTINGS = Path(__file__).parent.parent.parent / "docs" / "settings.md"


def test_loopback_needs_no_token() -> None:
    assert Settings.from_env({}).roles == {}


def test_open_address_without_tokens_is_refused() -> None:
    with pytest.raises(SettingsError, match="without tokens would open the service"):
        Settings.from_env({"AL_LOOP_HOST": "0.0.0.0"})  # noqa: S104  # the point of the test


def test_open_address_with_tokens_is_accepted() -> None:
    settings = Settings.from_env({"AL_LOOP_HOST": "0.0.0.0", "AL_LOOP_TOKENS": "ops=12345678,predict=abcdefgh"})  # noqa: S104
    assert settings.roles == {"12345678": "ops", "abcdefgh": "predict"}


def test_serving_models_are_loaded_as_the_settings_say(tmp_path: Path) -> None:
    settings = Settings.from_env({"AL_LOOP_SERVING_DEVICE": "cpu", "AL_LOOP_SERVING_GPU_MB": "2000"})
    load = settings.load_model
    assert isinstance(load, partial)
    assert load.keywords == {"threads": None, "device": "cpu", "gpu_mb": 2000}


@pytest.mark.skipif(sees_gpu(), reason="there is a GPU here")
def test_a_gpu_that_is_insisted_on_and_not_there_is_told_at_the_start() -> None:
    with pytest.raises(SettingsError, match="SERVING_DEVICE=cuda: there is no CUDA GPU"):
        Settings.from_env({"AL_LOOP_SERVING_DEVICE": "cuda"})


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"AL_LOOP_PROT": "1"}, "prot"),
        ({"AL_LOOP_PORT": "none"}, "port"),
        ({"AL_LOOP_PORT": "70000"}, "port"),
        ({"AL_LOOP_THREADS": "0"}, "threads"),
        ({"AL_LOOP_SERVING_DEVICE": "gpu"}, "serving_device"),
        ({"AL_LOOP_SERVING_GPU_MB": "0"}, "serving_gpu_mb"),
        ({"AL_LOOP_TOKENS": "ops=short"}, "TOKENS"),
        ({"AL_LOOP_TOKENS": "king=123456789"}, "TOKENS"),
        ({"AL_LOOP_TOKENS": "ops=123456789,annotate=123456789"}, "one token stands for the roles ops and annotate"),
        ({"AL_LOOP_IMAGERY": "/no/such/folder"}, "/no/such/folder"),
        ({"AL_LOOP_TOKENS_FILE": "/no/such/file"}, "there is no file /no/such/file; `al-loop token add NAME"),
        ({"AL_LOOP_EXECUTOR": "slurm"}, "executor"),
        ({"AL_LOOP_EXECUTOR": "ray"}, "RAY_ADDRESS: '' is no address such as ray-head:6379"),
        ({"AL_LOOP_EXECUTOR": "ray", "AL_LOOP_RAY_ADDRESS": "ray://head:10001"}, "is no address such as"),
        ({"AL_LOOP_EXECUTOR": "ray", "AL_LOOP_RAY_ADDRESS": "head"}, "is no address such as"),
        ({"AL_LOOP_RAY_WORKERS": "0"}, "ray_workers"),
        ({"AL_LOOP_RAY_CPUS": "0"}, "ray_cpus"),
        ({"AL_LOOP_ROOT_PATH": "al-loop"}, "ROOT_PATH: 'al-loop' is no path such as /al-loop"),
        ({"AL_LOOP_ROOT_PATH": "/al-loop/"}, "ROOT_PATH"),
        ({"AL_LOOP_ROOT_PATH": "//evil.example"}, "ROOT_PATH"),
        ({"AL_LOOP_ROOT_PATH": "/a/../b"}, "ROOT_PATH"),
        ({"AL_LOOP_ROOT_PATH": "/a b"}, "ROOT_PATH"),
        ({"AL_LOOP_ROOT_PATH": "/" + 200 * "a"}, "ROOT_PATH"),
        ({"AL_LOOP_CORS_ORIGINS": "maps.example.org"}, "CORS_ORIGINS: 'maps.example.org' is no origin"),
        ({"AL_LOOP_CORS_ORIGINS": "https://maps.example.org/"}, "no path"),
        ({"AL_LOOP_CORS_ORIGINS": "https://*.example.org"}, "CORS_ORIGINS"),
        ({"AL_LOOP_CORS_ORIGINS": "null"}, "CORS_ORIGINS"),
        ({"AL_LOOP_CORS_ORIGINS": "*"}, "without tokens would let every web page"),
    ],
)
def test_bad_setting_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Settings.from_env(environ)


def test_override_wins_over_the_environment() -> None:
    assert Settings.from_env({"AL_LOOP_PORT": "1000"}, port=2000, host=None).port == 2000


def test_client_variables_are_no_settings() -> None:
    Settings.from_env({"AL_LOOP_URL": "http://127.0.0.1:1", "AL_LOOP_TOKEN": "x"})


@pytest.mark.parametrize("field", msgspec.structs.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_documented_with_its_default(field: msgspec.structs.FieldInfo) -> None:
    row = re.search(rf"^\| `AL_LOOP_{field.name.upper()}` \| (.*?) \|", SETTINGS.read_text(), re.MULTILINE)
    assert row
    default = "" if field.default in (None, "") else str(field.default)
    assert default in ("", row[1].strip("`"), f"{row[1].strip('`')}.0")
