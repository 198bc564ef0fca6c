"""Backups of the whole data directory."""

from typing import Annotated

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from al_loop.loop import Loop
from al_loop.upkeep.archive import Compression
from service.access.tokens import requires
from service.errors import problems
from service.limits.lanes import EXPORTS, LANE


class BackupController(Controller):
    """`/backup`."""

    path = "/backup"
    tags = ("health",)
    guards = (requires("ops"),)

    @post(
        operation_id="makeBackup",
        opt={LANE: EXPORTS},
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 503, 507),
    )
    def make(
        self,
        loop: NamedDependency[Loop],
        embeddings: Annotated[
            bool,
            QueryParameter(
                description="Whether to put embeddings and scores of the pools in, which are made again where they "
                "are missing."
            ),
        ] = False,
        compression: Annotated[
            Compression, QueryParameter(description="Of the archive: `zstd` for Zstandard.")
        ] = "none",
    ) -> Stream:
        """The data directory as it is at this moment, as a tar archive for `al-loop restore`.

        All labels that were acknowledged before are in it, models, rounds and settings too; images are not. Labels
        wait while the database is copied, everything else goes on. Its last member is `digests.json`: an archive
        without it was cut off.
        """
        return Stream(
            loop.backup(embeddings=embeddings, compression=compression),
            media_type="application/x-tar" if compression == "none" else "application/zstd",
        )
