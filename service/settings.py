"""Every knob of the service, with its default and unit, in one frozen Struct."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import msgspec

from al_loop.domain.audit import Role

if TYPE_CHECKING:
    from models.inference.predictor import Predictor
    from models.super_resolution.resolver import SuperResolver

PREFIX = "AL_LOOP_"


class SettingsError(Exception):
    """The service cannot start with these settings; the message says which and why."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read once at the edge and passed down as values. Environment variables are `AL_LOOP_` + the upper-case name."""

    data: Path = Path("al-loop-data")
    """Directory of the label store, models and rounds; made if missing."""
    imagery: str = "."
    """Folders that campaign roots must lie in, separated by `:`."""
    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs `tokens`."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8090
    """TCP port."""
    tokens: str = ""
    """`role=token` pairs separated by commas. Roles: predict, annotate, ops; each may do what those before it may."""
    tokens_file: Path | None = None
    """File of tokens of single persons, which `al-loop token` writes; read again whenever it changes."""
    public_url: str | None = None
    """Address at which SCANEO or a proxy reaches this service; unset: the one that a link is asked for at."""
    root_path: str = ""
    """Path below which a proxy offers the service, such as `/al-loop`; unset: as the proxy's `X-Forwarded-Prefix`
    says."""
    cors_origins: str = ""
    """Web pages of other origins that may call the service, such as `https://maps.example.org`, separated by commas;
    `*`: all, where tokens are asked for."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""
    access_log: bool = False
    """Whether a line is logged for each request; tokens in addresses are left out."""
    threads: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """CPU threads of one model run; unset: all cores."""
    serving_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models serve: `cpu` leaves the GPU to training, `cuda` insists on it, `auto` takes one that works."""
    serving_gpu_mb: Annotated[int, msgspec.Meta(ge=100)] | None = None
    """Most GPU memory that each serving model takes, in MB (10^6 bytes); unset: what it asks for."""
    max_upload_mb: Annotated[int, msgspec.Meta(ge=1)] = 1024
    """Largest request body, in MB; larger ones get 413."""
    max_connections: Annotated[int, msgspec.Meta(ge=8, le=100_000)] = 512
    """Connections that may be open at once; further ones are answered with 503."""
    rounds_at_once: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Campaigns that may train side by side; a campaign has one running round at most."""
    retrain_tick_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    """Seconds between two looks at the retrain policies, at least; nothing is looked at while nothing changes."""
    score_tick_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    """Seconds between two looks for samples without a score, at least."""
    scaneo_link_local: bool = False
    """Whether SCANEO may be linked at link-local addresses, such as those of cloud metadata services."""
    webhook_networks: str = ""
    """Private networks that webhooks may be sent to, such as `10.1.0.0/16,127.0.0.1/32`; unset: public addresses
    only."""
    executor: Literal["local", "ray"] = "local"
    """Where rounds, pretrainings and large pool scorings run: on this machine, or on a Ray cluster."""
    ray_address: str = ""
    """Head of the Ray cluster, `host:port`; this machine has to be one of its nodes."""
    ray_workers: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 2
    """Parts of a pool that the cluster scores at once."""
    ray_cpus: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 1.0
    """CPUs of the cluster that one training, or one part of a pool, takes."""
    ray_gpus: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0
    """GPUs of the cluster that one training takes."""
    ray_train_workers: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    """Workers that train a deep model together, each on `ray_cpus` CPUs and `ray_gpus` GPUs."""
    ray_patience_s: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    """Seconds that a round waits for a cluster that does not answer, before it fails."""
    artifacts: str = ""
    """Place that all machines reach, as an fsspec URL such as `s3://bucket/folder`; unset: they share the disk of the
    data directory."""
    sam_model: Path | None = None
    """ONNX file that outlines what was clicked (`models/inference/promptable.py` lists its inputs); unset: region
    growing."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **overrides: object) -> Self:
        """Settings from the environment; `overrides` that are not None win.

        Raises:
            SettingsError: An unknown name, a wrong type, a value out of range, or an open address without a token.
        """
        raw: dict[str, object] = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and name not in CLIENT_VARIABLES
        }
        raw.update({name: value for name, value in overrides.items() if value is not None})
        try:
            settings = msgspec.convert(raw, cls, strict=False, dec_hook=lambda kind, value: kind(value))
        except msgspec.ValidationError as error:
            raise SettingsError(f"bad setting: {error} (environment variables are {PREFIX}<NAME>)") from error
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse settings that are unsafe.

        Raises:
            SettingsError: Not loopback and no tokens, malformed tokens, a path or origin that is none, an imagery
                folder, token file or SAM model that does not exist, or a GPU is asked for and there is none.
        """
        if not self.needs_tokens and not is_loopback(self.host):
            raise SettingsError(
                f"listening on {self.host} without tokens would open the service to everybody; "
                f"set {PREFIX}TOKENS=ops=<token>,annotate=<token>,predict=<token> or {PREFIX}TOKENS_FILE, or listen on "
                "127.0.0.1"
            )
        if self.tokens_file is not None and not self.tokens_file.is_file():
            raise SettingsError(
                f"{PREFIX}TOKENS_FILE: there is no file {self.tokens_file}; "
                f"`al-loop token add NAME --role ops --file {self.tokens_file}` makes it"
            )
        if self.root_path and not is_clean_path(self.root_path):
            raise SettingsError(f"{PREFIX}ROOT_PATH: {self.root_path!r} is no path such as /al-loop")
        self._check_origins()
        self._check_cluster()
        _ = self.allowed_webhook_networks
        for folder in self.imagery_folders:
            if not folder.is_dir():
                raise SettingsError(f"imagery folder {folder} is not an existing directory")
        if self.sam_model is not None and not self.sam_model.is_file():
            raise SettingsError(f"{PREFIX}SAM_MODEL: there is no file {self.sam_model}")
        self._check_device()

    def _check_cluster(self) -> None:
        if self.executor == "ray" and not ADDRESS.fullmatch(self.ray_address):
            raise SettingsError(f"{PREFIX}RAY_ADDRESS: {self.ray_address!r} is no address such as ray-head:6379")
        for used, package, extra in ((self.executor == "ray", "ray", "ray"), (self.artifacts, "fsspec", "artefacts")):
            if used and find_spec(package) is None:
                raise SettingsError(f"{package} is not installed: pip install 'al-loop[{extra}]'")

    def _check_device(self) -> None:
        if self.serving_device == "cuda":
            from models.inference.predictor import sees_gpu  # as in `load_model`

            if not sees_gpu():
                raise SettingsError(
                    f"{PREFIX}SERVING_DEVICE=cuda: there is no CUDA GPU that ONNX Runtime can use; choose auto or cpu"
                )

    def _check_origins(self) -> None:
        for origin in self.allowed_origins:
            if origin == "*" and not self.needs_tokens:
                raise SettingsError(
                    f"{PREFIX}CORS_ORIGINS=* without tokens would let every web page read and write here; name the "
                    f"origins, or set {PREFIX}TOKENS"
                )
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise SettingsError(
                    f"{PREFIX}CORS_ORIGINS: {origin!r} is no origin such as https://maps.example.org or "
                    "http://localhost:3000 (no path, nothing after the port)"
                )

    @property
    def allowed_origins(self) -> list[str]:
        """Origins of foreign web pages that may call the service, in lower case, as browsers send them."""
        return [part.strip().lower() for part in self.cors_origins.split(",") if part.strip()]

    @property
    def allowed_webhook_networks(self) -> list[IPv4Network | IPv6Network]:
        """Networks that webhooks may be sent to although they are not public.

        Raises:
            SettingsError: One is no network.
        """
        try:
            return [ip_network(part.strip()) for part in self.webhook_networks.split(",") if part.strip()]
        except ValueError as error:
            raise SettingsError(f"{PREFIX}WEBHOOK_NETWORKS: {error}; write networks such as 10.1.0.0/16") from error

    @property
    def imagery_folders(self) -> list[Path]:
        """Resolved imagery folders."""
        return [Path(folder).resolve() for folder in self.imagery.split(":") if folder]

    @property
    def prediction_token(self) -> str | None:
        """Token that SCANEO sends in URLs, which everybody who reaches SCANEO can read; None: none is asked for.

        Raises:
            SettingsError: Tokens are asked for, and none has the role `predict`, which is the only one to give away.
        """
        if not self.needs_tokens:
            return None
        found = next((token for token, role in self.roles.items() if role == "predict"), None)
        if found is None:
            raise SettingsError(f"SCANEO needs a token of the role predict: add predict=<token> to {PREFIX}TOKENS")
        return found

    @property
    def load_model(self) -> "Callable[[Path], Predictor]":
        """Loads the version of a directory, to serve as these settings say."""
        from models.inference.predictor import Predictor  # loads ONNX Runtime, which most commands do without

        return partial(Predictor, threads=self.threads, device=self.serving_device, gpu_mb=self.serving_gpu_mb)

    @property
    def load_super_resolution(self) -> "Callable[[Path], SuperResolver]":
        """Loads a model of super-resolution, to serve as these settings say."""
        from models.super_resolution.resolver import SuperResolver  # as in `load_model`

        return partial(SuperResolver, threads=self.threads, device=self.serving_device, gpu_mb=self.serving_gpu_mb)

    @property
    def needs_tokens(self) -> bool:
        """Whether every request needs a token."""
        return bool(self.roles) or self.tokens_file is not None

    @property
    def roles(self) -> dict[str, Role]:
        """Role of each token that is shared, from `tokens`.

        Raises:
            SettingsError: A pair is not `role=token`, the role is unknown, or a token stands for two roles.
        """
        pairs: dict[str, Role] = {}
        for pair in filter(None, (part.strip() for part in self.tokens.split(","))):
            role, _, token = pair.partition("=")
            if role not in ("predict", "annotate", "ops") or len(token) < MIN_TOKEN_LENGTH:
                raise SettingsError(
                    f"{PREFIX}TOKENS: each entry is role=token with role predict, annotate or ops and a token of at "
                    f"least {MIN_TOKEN_LENGTH} characters"
                )
            if pairs.get(token, role) != role:
                raise SettingsError(
                    f"{PREFIX}TOKENS: one token stands for the roles {pairs[token]} and {role}; give each role its own"
                )
            pairs[token] = role  # type: ignore[assignment]  # narrowed by the membership test above
        return pairs


MIN_TOKEN_LENGTH = 8
ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
CLIENT_VARIABLES = {f"{PREFIX}URL", f"{PREFIX}TOKEN", f"{PREFIX}SHARED", f"{PREFIX}REQUIRE_SHARED"}
"""Variables of the same prefix that are for the command line's client side or for tests."""


MOST_PATH_CHARACTERS = 200
CLEAN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


def is_clean_path(text: str) -> bool:
    """Whether a text is a path such as `/al-loop` or `/maps/al-loop`.

    No other host (`//elsewhere`), no way up (`/..`), nothing that a browser or a header would read in another way.
    """
    return len(text) <= MOST_PATH_CHARACTERS and CLEAN_PATH.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, which no other machine reaches."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
