"""Examples in the OpenAPI document; `tests/service/openapi/test_examples.py` decodes each with its type."""

from typing import Any

from litestar.enums import RequestEncodingType
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg

CAMPAIGN: dict[str, Any] = {
    "name": "land-cover",
    "tasks": [
        {"task": "classification", "classes": ["water", "forest", "crops"]},
        {"task": "segmentation", "classes": ["water", "forest", "crops"]},
    ],
    "root": "/imagery/sentinel-2",
    "bands": [4, 3, 2],
    "policy": {"new_labels": 50, "debounce_s": 5},
}
CAMPAIGN_CHANGE: dict[str, Any] = {"name": "land-cover-2026", "archived": False}
SAMPLES_BY_PATH: dict[str, Any] = {"paths": ["north/tile_001.tif", "north/tile_002.tif"]}
SAMPLES_BY_SCAN: dict[str, Any] = {"scan": True}
LINK: dict[str, Any] = {"url": "http://localhost:8000", "campaign": "Land cover", "tasks": ["segmentation"]}
WEBHOOK: dict[str, Any] = {
    "url": "https://hooks.example.org/al-loop",
    "events": ["round.failed", "link.lost"],
    "campaigns": None,
}
ROTATION: dict[str, Any] = {"overlap_hours": 24}
BATCH: dict[str, Any] = {"annotator": "anna", "query_size": 20}
BOXES: list[dict[str, Any]] = [
    {"path": "north/tile_002.tif", "label": "ship", "box": [12.0, 40.5, 31.0, 52.0], "score": 0.91, "version": "v3"}
]
SUGGESTED_IMAGES: dict[str, Any] = {"paths": ["north/tile_002.tif"]}
QUERY: dict[str, Any] = {"annotator": "anna", "query_size": 5, "strategy": {"type": "auto"}}
QUERY_ANSWER: dict[str, Any] = {
    "query_id": 12,
    "lease_expires_at": "2026-03-01T13:00:00Z",
    "samples": [
        {
            "sample_id": 417,
            "path": "north/tile_002.tif",
            "score": None,
            "reason": "next in this campaign",
            "scaneo_url": None,
        }
    ],
    "reason": None,
    "strategy": "auto",
    "version": "v3",
    "ranking": {
        "version": "v3",
        "labels": 480,
        "scored_at": "2026-03-01T11:20:00Z",
        "labels_since": 12,
        "stale": True,
    },
}
RELABEL_QUERY: dict[str, Any] = {"annotator": "bert", "query_size": 5}
RELABELS: dict[str, Any] = {
    "relabels": [
        {
            "sample_id": 417,
            "path": "north/tile_002.tif",
            "task": "segmentation",
            "given": [],
            "suggested": ["water"],
            "suspicion": 0.81,
            "label_id": 96,
            "annotator": "anna",
            "labelled_at": "2026-03-01T12:10:00Z",
            "regions": [
                {
                    "window": {"column": 40, "row": 12, "width": 31, "height": 22},
                    "area_px": 410,
                    "given": None,
                    "suggested": "water",
                    "suspicion": 0.81,
                    "geometry": {
                        "type": "Polygon",
                        "coordinates": [[[2.1, 41.4], [2.2, 41.4], [2.2, 41.5], [2.1, 41.4]]],
                    },
                }
            ],
            "reserve": None,
        }
    ],
    "version": "v3",
    "waiting": 0,
}
CLASS_LABEL: dict[str, Any] = {
    "sample_id": 417,
    "task": "classification",
    "annotator": "anna",
    "classes": ["forest"],
}
POLYGON_LABEL: dict[str, Any] = {
    "path": "north/tile_002.tif",
    "task": "segmentation",
    "annotator": "anna",
    "features": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"label": "water"},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[2.1, 41.4], [2.2, 41.4], [2.2, 41.5], [2.1, 41.4]]],
                },
            }
        ],
    },
}
RELEASE: dict[str, Any] = {"annotator": "anna", "sample_ids": [417]}
EXTEND: dict[str, Any] = {"annotator": "anna", "sample_ids": [417]}
SKIP: dict[str, Any] = {"annotator": "anna", "sample_ids": [417], "reason": "under cloud"}
UNSKIP: dict[str, Any] = {"annotator": "anna", "sample_ids": [417]}
COMMENT: dict[str, Any] = {"annotator": "anna", "text": "two lakes or one?", "flag": True}
RESOLVE: dict[str, Any] = {"annotator": "otto"}
LEASES: dict[str, Any] = {
    "now": "2026-03-01T12:10:00Z",
    "leases": [
        {
            "lease_id": 31,
            "query_id": 12,
            "sample_id": 417,
            "annotator": "anna",
            "leased_at": "2026-03-01T12:00:00Z",
            "expires_at": "2026-03-01T13:00:00Z",
            "path": "north/tile_002.tif",
            "width": 256,
            "height": 256,
            "bounds": [2.1, 41.4, 2.2, 41.5],
            "score": None,
            "reason": "next in this campaign",
            "version": "v3",
            "state": "labelled",
            "answers": [{"task": "classification", "label_id": 96, "classes": ["forest"]}],
            "tasks": {"classification": {"answered": True, "label_id": 96, "classes": ["forest"]}},
            "scaneo_url": None,
        }
    ],
}
AGREEMENT: dict[str, Any] = {
    "tasks": [
        {
            "task": "classification",
            "samples": 40,
            "pairs": [
                {
                    "first": "anna",
                    "second": "bert",
                    "samples": 40,
                    "kappa": {"value": 0.71, "low": 0.52, "high": 0.88},
                    "iou": None,
                    "classes": [
                        {"name": "water", "agreement": 0.93, "kappa": {"value": 0.9, "low": 0.74, "high": 1.0}}
                    ],
                }
            ],
            "golden": [{"annotator": "anna", "samples": 10, "score": {"value": 0.9, "low": 0.7, "high": 1.0}}],
        }
    ]
}
ROUND: dict[str, Any] = {"queue": True, "reason": "new season"}
SCENE: dict[str, Any] = {"scene": "scenes/delta.tif"}
SUPER_RESOLUTION: dict[str, Any] = {"pairs": "/imagery/pairs", "config": {"minutes": 20}}
SCENE_AS_GEOJSON: dict[str, Any] = {"scene": "scenes/delta.tif", "task": "segmentation", "format": "geojson"}
PRETRAINING: dict[str, Any] = {"minutes": 30}
PRETRAINED: dict[str, Any] = {
    "method": "pretrained",
    "encoder": "resnet18",
    "pretrained_file": "/weights/resnet18.safetensors",
}
PRETRAINED_ON_PAIRS: dict[str, Any] = {"minutes": 30, "pairs_by": "place", "pairs_with": "/imagery/sentinel-1"}
POLICY: dict[str, Any] = {"new_labels": 100, "interval_s": 86_400, "min_labels": 20}
POLICY_BY_CLOCK: dict[str, Any] = {
    "new_labels": None,
    "new_labels_share": 0.2,
    "cron": "0 3 * * 1-5",
    "timezone": "Europe/Berlin",
    "quiet_hours": ["08:00-18:00"],
}
POLICY_CHANGE: dict[str, Any] = {"new_labels": None}
REPRODUCE: dict[str, Any] = {"tolerance": 0.02}
COMPARE: dict[str, Any] = {"tasks": ["classification", "segmentation"], "seeds": 3}
PROMOTE: dict[str, Any] = {"reason": "v4 misses small ponds"}
REJECT: dict[str, Any] = {"reason": "it takes shadows for water"}
PROBABILITIES = [0.07, 0.9, 0.03]
CLASS: dict[str, Any] = {
    "task": "classification",
    "name": "wetland",
    "description": "Water with plants in it; open water is `water`.",
    "colour": "#469990",
}
CLASS_CHANGE: dict[str, Any] = {"name": "marsh", "retired": False, "examples": [417]}
GUIDELINES: dict[str, Any] = {"text": "## Water\n\nRivers count from 10 m width on."}
SETTINGS: dict[str, Any] = {"lease_s": 1800, "assist": {"min_area_px": 20, "blind_share": 0.1}}
SETTINGS_CHANGE: dict[str, Any] = {"lease_s": 600, "query": {"control_share": 0.1}}
SUGGEST: dict[str, Any] = {"annotator": "anna"}
SUGGESTIONS: list[dict[str, Any]] = [
    {
        "prediction_id": 93,
        "task": "segmentation",
        "version": "v3",
        "shown_at": "2026-03-01T12:10:00Z",
        "probabilities": None,
        "pixels": {"water": 10_420, "forest": 38_002},
    }
]
ACCEPT: dict[str, Any] = {"annotator": "anna", "task": "segmentation", "prediction_ids": [93]}
FOUND: dict[str, Any] = {
    "boxes": [[12.0, 40.5, 31.0, 52.0]],
    "labels": ["ship"],
    "scores": [0.91],
    "features": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"class": "ship", "score": 0.91},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[2.1, 41.4], [2.2, 41.4], [2.2, 41.5], [2.1, 41.5], [2.1, 41.4]]],
                },
            }
        ],
    },
}
BOX_LABEL: dict[str, Any] = {
    "path": "north/tile_002.tif",
    "task": "detection",
    "annotator": "anna",
    "crs": "pixel",
    "features": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"label": "ship"},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[12.0, 40.5], [31.0, 40.5], [31.0, 52.0], [12.0, 52.0], [12.0, 40.5]]],
                },
            }
        ],
    },
}
OUTLINE: dict[str, Any] = {
    "type": "Feature",
    "properties": {"label": "water", "task": "sam"},
    "geometry": {"type": "MultiPolygon", "coordinates": [[[[2.1, 41.4], [2.2, 41.4], [2.2, 41.5], [2.1, 41.4]]]]},
}


def json_body(**values: dict[str, Any] | list[dict[str, Any]]) -> BodyKwarg:
    """A JSON body with examples; OpenAPI 3.1 shows them in the schema, without their names."""
    examples = [Example(summary=name.replace("_", " "), value=value) for name, value in values.items()]
    return BodyKwarg(media_type=RequestEncodingType.JSON, examples=examples)


def answer(status: int, kind: Any, value: Any) -> dict[int, ResponseSpec]:  # noqa: ANN401  # any type, any JSON
    """The OpenAPI entry of a good answer with an example."""
    return {status: ResponseSpec(kind, generate_examples=False, examples=[Example(value=value)])}


SAVINGS: dict[str, Any] = {
    "task": "classification",
    "metric": "accuracy",
    "version": "v0003",
    "labels": 600,
    "control_labels": 120,
    "reserve_labels": 240,
    "strategy_accuracy": {"value": 0.86, "low": 0.82, "high": 0.9},
    "random_accuracy_at_same_labels": {"value": 0.83, "low": 0.79, "high": 0.87},
    "ratio": {"value": 1.7, "low": 1.1, "high": 2.9},
    "saved_labels": {"value": 420, "low": 60, "high": 1140},
    "extrapolated": True,
    "verdict": "helps",
    "note": "a label that the strategy chose is worth 1.7 random ones",
}
