"""Settings and summary of a pretraining; the records are in `al_loop_records.pretraining`."""

from al_loop_records.pretraining import (
    BY_PLACE,
    ENCODER_FILE,
    ENCODER_NAME,
    OTHER_PLACES,
    SHIPPED,
    SUMMARY_FILE,
    WITHOUT_SHIPPED,
    PretrainConfig,
    PretrainMethod,
    PretrainSummary,
    check_config,
)

__all__ = [
    "BY_PLACE",
    "ENCODER_FILE",
    "ENCODER_NAME",
    "OTHER_PLACES",
    "SHIPPED",
    "SUMMARY_FILE",
    "WITHOUT_SHIPPED",
    "PretrainConfig",
    "PretrainMethod",
    "PretrainSummary",
    "check_config",
]
