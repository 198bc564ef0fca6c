"""What can be asked of SCANEO, in the orders that do it no harm: look, compare, then write.

A repeated model or campaign name locks its database, and writing one model's mapping drops those of all others.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from al_loop.errors import NotFoundError, ScaneoAnswerError
from al_loop.scaneo.records import (
    Corner,
    OutputIndices,
    ScaneoAnnotation,
    ScaneoCampaign,
    ScaneoImage,
    ScaneoLabel,
    ScaneoMapping,
    ScaneoModel,
)
from service.scaneo.transport import Transport

MISSING = "'NoneType' object is not subscriptable"
"""How SCANEO says that there is no such row."""

IMPATIENT_S = 10.0
"""Seconds that a client waits for an answer if its caller comes again by itself."""

Images = list[ScaneoImage]
Labels = list[ScaneoLabel]
OnFrame = Callable[[dict[str, Any]], None]


class ScaneoClient:
    """One SCANEO. Writes are serialised; several threads may read."""

    def __init__(self, transport: Transport) -> None:
        """Use a transport; it is closed with the client."""
        self.transport = transport
        self._lock = threading.Lock()

    @classmethod
    def at(cls, url: str, *, patient: bool = True, link_local: bool = False) -> Self:
        """A client of the SCANEO at an address; an impatient one waits less, and asks once."""
        if patient:
            return cls(Transport(url, link_local=link_local))
        return cls(Transport(url, answer_s=IMPATIENT_S, pauses_s=(), link_local=link_local))

    def __enter__(self) -> Self:
        """The client; connections are closed at the end of the `with` block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the connections."""
        self.transport.__exit__(None, None, None)

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self.transport.requests

    def campaigns(self) -> list[ScaneoCampaign]:
        """All campaigns."""
        return self.transport.read("/_campaigns", list[ScaneoCampaign])

    def campaign(self, campaign_id: str) -> ScaneoCampaign:
        """One campaign: the cheap signal of a change.

        Raises:
            NotFoundError: It was deleted.
        """
        try:
            return self.transport.read(f"/_campaigns/{campaign_id}", ScaneoCampaign)
        except ScaneoAnswerError as error:
            if MISSING in error.detail:
                raise NotFoundError("SCANEO campaign", campaign_id) from error
            raise

    def find_campaign(self, name: str) -> ScaneoCampaign | None:
        """The campaign of that name."""
        return next((entry for entry in self.campaigns() if entry.name == name), None)

    def images(self, campaign_id: str) -> Images:
        """All images of a campaign, in the order that its explorer lists them."""
        return self.transport.read(f"/images/{campaign_id}", list[ScaneoImage])

    def labels(self, campaign_id: str) -> Labels:
        """Labels of a campaign, newest first."""
        return self.transport.read(f"/labels/{campaign_id}", list[ScaneoLabel])

    def models(self) -> list[ScaneoModel]:
        """All models, of every campaign."""
        return self.transport.read("/_models", list[ScaneoModel])

    def mappings(self, campaign_id: str) -> list[ScaneoMapping]:
        """Which outputs of which models stand for which labels."""
        return self.transport.read(f"/_campaigns/{campaign_id}/label_mappings", list[ScaneoMapping])

    def annotations(self, image_id: int) -> list[ScaneoAnnotation]:
        """Annotations of one image; an empty list for an unknown one too."""
        return self.transport.read(f"/annotations/{image_id}", list[ScaneoAnnotation])

    def create_campaign(
        self,
        name: str,
        path: str,
        labels: Sequence[tuple[str, str]],
        *,
        description: str = "",
        mappings: Mapping[str, OutputIndices] | None = None,
        on_frame: OnFrame = lambda frame: None,
    ) -> ScaneoCampaign:
        """Create a campaign from a folder; SCANEO answers nobody else meanwhile.

        Args:
            name: Unique among its campaigns.
            path: Folder in SCANEO's file system.
            labels: Names and colours.
            description: For people.
            mappings: Output indices of models, by model id.
            on_frame: Called with the progress.

        Raises:
            ScaneoAnswerError: The name is taken, or SCANEO could not read the folder; nothing is kept.
        """

        def create() -> ScaneoCampaign:
            if self.find_campaign(name) is not None:
                raise ScaneoAnswerError(409, f"there is a campaign named {name!r} already", "/_campaigns/create")
            body = {
                "name": name,
                "description": description,
                "path": path,
                "labels": [{"name": label, "color": colour} for label, colour in labels],
                "labelMappings": mappings or {},
            }
            try:
                for frame in self.transport.follow("/_campaigns/create", body):
                    on_frame(frame)
            except ScaneoAnswerError:
                self._remove_campaign(name)  # a failed creation leaves the row behind
                raise
            created = self.find_campaign(name)
            if created is None:
                raise ScaneoAnswerError(500, "the campaign was not created", "/_campaigns/create")
            return created

        with self._lock:
            return self.transport.write(create)

    def delete_campaign(self, campaign_id: str) -> None:
        """Delete a campaign with its images, labels and mappings; its annotations stay behind as orphans."""
        with self._lock:
            self.transport.write(lambda: self.transport.send("DELETE", f"/_campaigns/{campaign_id}", dict[str, Any]))

    def ensure_model(self, name: str, url: str, task: str, description: str) -> ScaneoModel:
        """The model of that name with this URL and task. One that differs is deleted first: there is no update."""

        def ensure() -> ScaneoModel:
            found = next((model for model in self.models() if model.name == name), None)
            if found is not None and (found.url, found.task) == (url, task):
                return found
            if found is not None:
                self.transport.send("DELETE", f"/_models/{found.id}", dict[str, Any])
            body = {"name": name, "description": description, "url": url, "task": task}
            return self.transport.send(
                "POST", "/_models", ScaneoModel, body | {"preprocessing": [], "postprocessing": []}
            )

        with self._lock:
            return self.transport.write(ensure)

    def delete_model(self, model_id: str) -> None:
        """Delete a model and its mappings in all campaigns; no error if it is gone."""
        with self._lock:
            self.transport.write(lambda: self.transport.send("DELETE", f"/_models/{model_id}", dict[str, Any]))

    def ensure_mappings(self, campaign_id: str, ours: Mapping[str, OutputIndices]) -> bool:
        """Map outputs of our models to labels and leave the mappings of all other models as they are.

        Mappings whose label was deleted stay in SCANEO and break every later run of their model; those of our models
        are removed by writing once without them.

        Args:
            campaign_id: The campaign.
            ours: Output index by label name, by model id. The labels must exist.

        Returns:
            Whether something had to be written.
        """

        def ensure() -> bool:
            names = {label.id: label.name for label in self.labels(campaign_id)}
            stored: dict[str, OutputIndices] = {}
            orphaned: set[str] = set()
            for mapping in self.mappings(campaign_id):
                if mapping.label_id in names:
                    stored.setdefault(mapping.model_id, {})[names[mapping.label_id]] = mapping.output_index
                else:
                    orphaned.add(mapping.model_id)
            if all(stored.get(model) == indices for model, indices in ours.items()) and not orphaned & set(ours):
                return False
            others = {model: indices for model, indices in stored.items() if model not in ours}
            stale = any(set(stored.get(model, {})) - set(indices) for model, indices in ours.items())
            path = f"/_campaigns/{campaign_id}/label_mappings"
            if stale or orphaned & set(ours):
                self.transport.send("POST", path, list[ScaneoMapping], {"data": others})
            self.transport.send("POST", path, list[ScaneoMapping], {"data": {**others, **ours}})
            return True

        with self._lock:
            return self.transport.write(ensure)

    def infer(self, model_id: str, image_id: int) -> list[ScaneoAnnotation]:
        """Let SCANEO run a model on an image, as its button does; returns the annotations that it wrote."""
        return self.transport.send(
            "POST", f"/_models/inference/{model_id}", list[ScaneoAnnotation], {"image": image_id}
        )

    def add_box(self, image_id: int, label: str, corners: Sequence[Corner]) -> ScaneoAnnotation:
        """Draw a box; image and label must exist, as SCANEO stores it either way."""
        body = {"imageId": image_id, "label": label, "bb": corners}
        return self._annotate("detection", body)

    def delete_annotation(self, annotation_id: str) -> None:
        """Delete one annotation."""
        self.transport.write(lambda: self.transport.send("DELETE", f"/annotations/{annotation_id}", dict[str, Any]))

    def export(self, campaign_id: str, folder: str, on_frame: OnFrame = lambda frame: None) -> None:
        """Write a campaign's annotations into a folder of SCANEO's file system; old files there are not removed."""
        body = {"exportType": "folder", "exportPath": folder}
        for frame in self.transport.follow(f"/_campaigns/{campaign_id}/export", body):
            on_frame(frame)

    def _annotate(self, kind: str, body: dict[str, object]) -> ScaneoAnnotation:
        return self.transport.write(lambda: self.transport.send("POST", f"/annotations/{kind}", ScaneoAnnotation, body))

    def _remove_campaign(self, name: str) -> None:
        for entry in self._named(name):
            self.transport.send("DELETE", f"/_campaigns/{entry.id}", dict[str, Any])

    def _named(self, name: str) -> Iterable[ScaneoCampaign]:
        return [entry for entry in self.campaigns() if entry.name == name]
