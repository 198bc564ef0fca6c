"""Where things lie below the data directory."""

from pathlib import Path

import msgspec


class DataLayout(msgspec.Struct, frozen=True):
    """Paths below one data directory; nothing is created here."""

    root: Path

    @property
    def database(self) -> Path:
        """The DuckDB file, owned by one process."""
        return self.root / "al-loop.duckdb"

    @property
    def shown_journal(self) -> Path:
        """Directory of notes of predictions that were shown and are not in the database yet; empty at rest."""
        return self.root / "shown"

    @property
    def temporary(self) -> Path:
        """Directory of files that are of use to one request only; emptied at the start."""
        return self.root / "tmp"

    def campaign(self, name: str) -> Path:
        """Directory of one campaign's files."""
        return self.root / "campaigns" / name

    def models(self, name: str) -> Path:
        """Root of a campaign's model registry."""
        return self.campaign(name) / "models"

    def encoders(self, name: str) -> Path:
        """Root of the encoders made without labels, `ssl-<n>` and `imagenet-1`, in the form of a model registry."""
        return self.campaign(name) / "encoders"

    def pretraining(self, name: str, number: int) -> Path:
        """Directory of one pretraining: `spec.json`, `training/`."""
        return self.campaign(name) / "pretrainings" / str(number)

    def frozen_encoder(self, name: str) -> Path:
        """Directory in which the shipped encoder is fitted to a campaign: `spec.json`, `training/`."""
        return self.campaign(name) / "pretrainings" / "frozen"

    def scores(self, name: str) -> Path:
        """Root of a campaign's embeddings, one directory a model version."""
        return self.campaign(name) / "scores"

    def pictures(self, name: str) -> Path:
        """Directory of what pictures are drawn from: a sample of the pool's pixels, reduced copies of large scenes.

        All of it is made again when it is missing.
        """
        return self.campaign(name) / "pictures"

    def round(self, name: str, number: int) -> Path:
        """Directory of one round: `snapshot/`, `training/`."""
        return self.campaign(name) / "rounds" / str(number)

    def reproduction(self, name: str, number: int) -> Path:
        """Directory of one reproduction of a round: `snapshot/`, `training/`."""
        return self.campaign(name) / "reproductions" / str(number)

    def scene_prediction(self, name: str, number: int) -> Path:
        """Directory of one prediction of a scene: its file, what is done of it, and `run-N/` of each attempt."""
        return self.campaign(name) / "scene-predictions" / str(number)

    def super_resolution(self, name: str, number: int) -> Path:
        """Directory of the model that one training of super-resolution made; what is on the way is `NUMBER.part`."""
        return self.campaign(name) / "super-resolution" / str(number)

    def comparison(self, name: str, number: int) -> Path:
        """Directory of one comparison of single-task models with a joint one."""
        return self.campaign(name) / "comparisons" / str(number)

    def batch(self, name: str, number: int) -> Path:
        """Folder of links to the images of one batch; SCANEO reads it."""
        return self.campaign(name) / "scaneo" / f"batch-{number:03d}"
