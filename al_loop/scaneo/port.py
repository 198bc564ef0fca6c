"""What the loop asks of a SCANEO; `service.scaneo.client` answers it over HTTP."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from al_loop.scaneo.records import (
    Corner,
    OutputIndices,
    ScaneoAnnotation,
    ScaneoCampaign,
    ScaneoImage,
    ScaneoLabel,
    ScaneoModel,
)

OnFrame = Callable[[dict[str, Any]], None]


class ScaneoPort(Protocol):
    """One SCANEO. Every call may raise ScaneoUnreachableError or ScaneoAnswerError."""

    @property
    def requests(self) -> int:
        """Requests sent so far."""

    def campaigns(self) -> list[ScaneoCampaign]:
        """All campaigns."""

    def campaign(self, campaign_id: str) -> ScaneoCampaign:
        """One campaign; NotFoundError if it was deleted."""

    def find_campaign(self, name: str) -> ScaneoCampaign | None:
        """The campaign of that name."""

    def images(self, campaign_id: str) -> list[ScaneoImage]:
        """Images in the order of the explorer."""

    def labels(self, campaign_id: str) -> list[ScaneoLabel]:
        """Labels, newest first."""

    def models(self) -> list[ScaneoModel]:
        """All models."""

    def annotations(self, image_id: int) -> list[ScaneoAnnotation]:
        """Annotations of one image; an empty list for an unknown one."""

    def create_campaign(
        self,
        name: str,
        path: str,
        labels: Sequence[tuple[str, str]],
        *,
        description: str = "",
        mappings: Mapping[str, OutputIndices] | None = None,
        on_frame: OnFrame = ...,
    ) -> ScaneoCampaign:
        """Create a campaign from a folder of SCANEO's file system."""

    def delete_campaign(self, campaign_id: str) -> None:
        """Delete a campaign; its annotations stay behind there as orphans."""

    def ensure_model(self, name: str, url: str, task: str, description: str) -> ScaneoModel:
        """The model of that name, made or replaced if it differs."""

    def delete_model(self, model_id: str) -> None:
        """Delete a model with its mappings; no error if it is gone."""

    def ensure_mappings(self, campaign_id: str, ours: Mapping[str, OutputIndices]) -> bool:
        """Map outputs of our models to labels, leaving those of other models alone."""

    def add_box(self, image_id: int, label: str, corners: Sequence[Corner]) -> ScaneoAnnotation:
        """Draw a box."""

    def delete_annotation(self, annotation_id: str) -> None:
        """Delete one annotation."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *exception: object) -> None:
        """Close the connections."""


class OpenScaneo(Protocol):
    """Makes a port for the SCANEO at an address."""

    def __call__(self, url: str, *, patient: bool = True) -> ScaneoPort:
        """A port that asks again after a failure if it is patient, and else leaves that to its caller."""
