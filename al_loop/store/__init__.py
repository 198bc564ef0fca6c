"""The label store: the DuckDB-backed record of samples, labels, queries, rounds and versions.

Every SQL statement of the project lives in this package. It knows nothing of files, models or HTTP.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from al_loop.store.database import Database
from al_loop.store.header_cache import HeaderCache
from al_loop.store.old_journal import store_journal
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.tables.annotators import AnnotatorTable
from al_loop.store.tables.announcements import AnnouncementTable
from al_loop.store.tables.assists import AssistTable
from al_loop.store.tables.audit import AuditTable
from al_loop.store.tables.campaigns import CampaignTable
from al_loop.store.tables.classes import ClassTable
from al_loop.store.tables.comments import CommentTable
from al_loop.store.tables.comparisons import ComparisonTable
from al_loop.store.tables.copies import CopyTable
from al_loop.store.tables.deliveries import DeliveryTable
from al_loop.store.tables.drift import DriftTable
from al_loop.store.tables.events import EventTable
from al_loop.store.tables.gate import GateTable
from al_loop.store.tables.images import ImageTable
from al_loop.store.tables.labels import LabelTable
from al_loop.store.tables.leases import LeaseTable
from al_loop.store.tables.lineage import LineageTable
from al_loop.store.tables.new_labels import NewLabelTable
from al_loop.store.tables.predictions import PredictionTable
from al_loop.store.tables.pretrainings import PretrainingTable
from al_loop.store.tables.queries import QueryTable
from al_loop.store.tables.relabels import RelabelTable
from al_loop.store.tables.removals import RemovalTable
from al_loop.store.tables.reproductions import ReproductionTable
from al_loop.store.tables.requests import RequestTable
from al_loop.store.tables.rounds import RoundTable
from al_loop.store.tables.samples import SampleTable
from al_loop.store.tables.scaneo import ScaneoTable
from al_loop.store.tables.scene_predictions import ScenePredictionTable
from al_loop.store.tables.scores import ScoreTable
from al_loop.store.tables.shadow_answers import ShadowAnswerTable
from al_loop.store.tables.skipped_files import SkippedFileTable
from al_loop.store.tables.super_resolutions import SuperResolutionTable
from al_loop.store.tables.versions import VersionTable
from al_loop.store.tables.webhooks import WebhookTable


class LabelStore:
    """One open DuckDB file; its verbs are grouped by what they are about. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.changes = database.campaign_changes
        """Which campaigns changed; see `Changes`."""
        self.pool_indexes = PoolIndexes(database)
        self.campaigns = CampaignTable(database, self.pool_indexes)
        self.classes = ClassTable(database)
        headers = HeaderCache()
        self.samples = SampleTable(database, self.pool_indexes, headers)
        self.images = ImageTable(database, self.pool_indexes, headers)
        self.copies = CopyTable(database, self.pool_indexes)
        self.skipped_files = SkippedFileTable(database)
        self.removals = RemovalTable(database, self.pool_indexes, headers)
        self.labels = LabelTable(database, self.pool_indexes)
        self.annotators = AnnotatorTable(database)
        self.queries = QueryTable(database, self.pool_indexes)
        self.leases = LeaseTable(database, self.pool_indexes)
        self.relabels = RelabelTable(database, self.queries)
        self.rounds = RoundTable(database)
        self.versions = VersionTable(database)
        self.gate = GateTable(database)
        self.shadow_answers = ShadowAnswerTable(database)
        self.scores = ScoreTable(database, self.pool_indexes)
        self.pretrainings = PretrainingTable(database)
        self.reproductions = ReproductionTable(database)
        self.scene_predictions = ScenePredictionTable(database)
        self.super_resolutions = SuperResolutionTable(database)
        self.comparisons = ComparisonTable(database)
        self.lineage = LineageTable(database)
        self.predictions = PredictionTable(database)
        self.assists = AssistTable(database)
        self.scaneo = ScaneoTable(database)
        self.comments = CommentTable(database)
        self.requests = RequestTable(database)
        self.audit = AuditTable(database)
        self.events = EventTable(database)
        self.webhooks = WebhookTable(database)
        self.deliveries = DeliveryTable(database)
        self.announcements = AnnouncementTable(database)
        self.drift = DriftTable(database)
        self.new_labels = NewLabelTable(database)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file.

        Raises:
            StoreLockedError: Another process has it open.
            StoreError: Not a label store, not writable, or written by a newer al-loop.
        """
        database = Database(path)
        try:
            store_journal(database, path.with_suffix(".queries"))
            return cls(database)
        except BaseException:
            database.close()
            raise

    @property
    def waiting_writes(self) -> int:
        """Writes that wait for their commit."""
        return self._database.waiting_writes

    def file_bytes(self) -> dict[str, int]:
        """Size of the `database` and of its write-ahead `log`."""
        return self._database.file_bytes()

    def campaign_version(self, campaign_id: int) -> int:
        """See `Changes.content_version`."""
        return self.changes.content_version(campaign_id)

    @property
    def schema_version(self) -> int:
        """Of the open file, which is the newest that this al-loop knows."""
        return self._database.schema_version

    def copy_files(self, into: Path, beside: Callable[[], None]) -> None:
        """See `Database.copy_files`."""
        self._database.copy_files(into, beside)

    def close(self) -> None:
        """Finish queued writes and give the file back. Safe to call twice; every later call raises StoreClosedError."""
        self._database.close()
