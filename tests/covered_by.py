"""Modules without a test file of their own, and what tests them; new modules do not belong here."""

ROOMS = {  # room: tests of the room as a whole, and how many of its modules have no file of their own
    "al_loop/campaigns/exporting": (["tests/al_loop/campaigns/exporting/test_round_trip.py"], 5),
    "al_loop/campaigns/importing": (
        [
            "tests/al_loop/campaigns/importing/test_mask_pairs.py",
            "tests/al_loop/campaigns/importing/test_class_folders.py",
            "tests/al_loop/campaigns/importing/test_recognise.py",
        ],
        3,
    ),
    "al_loop/domain": (
        [
            "tests/al_loop/store/tables",
            "tests/al_loop/querying/test_compose.py",
            "tests/al_loop/quality/test_savings.py",
        ],
        10,
    ),
    "al_loop/querying/strategies": (
        ["tests/al_loop/querying/strategies/test_laws.py", "tests/al_loop/querying/strategies/test_coverage.py"],
        5,
    ),
    "al_loop/scaneo": (["tests/al_loop/scaneo/test_links.py", "tests/al_loop/scaneo/test_trouble.py"], 6),
    "al_loop/scaneo/watching": (["tests/al_loop/scaneo/test_links.py", "tests/al_loop/scaneo/test_trouble.py"], 6),
    "al_loop/scoring": (["tests/al_loop/scoring/test_refit.py", "tests/al_loop/scoring/test_task_head.py"], 4),
    "al_loop/serving/pictures": (["tests/al_loop/serving/pictures", "tests/service/routes/test_pictures.py"], 7),
    "al_loop/serving/uncertainty": (
        ["tests/al_loop/serving/pictures/test_parts.py", "tests/service/routes/test_samples.py"],
        4,
    ),
    "al_loop/simulation": (["tests/al_loop/simulation/test_run.py", "tests/al_loop/simulation/test_curves.py"], 4),
    "al_loop/simulation/fast": (
        ["tests/al_loop/simulation/fast/test_run.py", "tests/al_loop/simulation/fast/test_chips.py"],
        4,
    ),
    "al_loop/store": (["tests/al_loop/store/tables", "tests/al_loop/store/test_database.py"], 7),
    "al_loop/training": (["tests/al_loop/training/test_rounds.py"], 3),
    "models/scoring": (["tests/models/test_score_pool.py", "tests/al_loop/scoring/test_refit.py"], 5),
    "models/tasks": (["tests/models/tasks/test_adding_a_task.py", "tests/models/tasks/test_uncertainty.py"], 4),
    "models/tasks/classification": (["tests/models/test_train.py"], 2),
    "models/tasks/segmentation": (["tests/models/test_train.py"], 2),
    "models/training": (["tests/models/test_train.py", "tests/models/training/test_evaluate.py"], 3),
    "service": (["tests/service/routes", "tests/service/openapi/test_examples.py"], 9),
    "service/client": (["tests/service/test_cli.py"], 2),
    "service/commands": (["tests/service/commands/test_commands.py", "tests/service/test_cli.py"], 12),
    "service/demo/report": (["tests/service/demo/report/test_page.py"], 3),
}
"""Rooms whose tests go through all of it. The number may only fall: what is added has tests beside it."""

COVERED_BY = {
    "models/pretraining/spec.py": "tests/models/test_pretrain.py",
    "al_loop/campaigns/create.py": "tests/models/tasks/test_adding_a_task.py",
    "al_loop/campaigns/layout.py": "tests/al_loop/scoring/test_embedding_versions.py",
    "al_loop/campaigns/readiness.py": "tests/al_loop/training/test_snapshot.py",
    "al_loop/campaigns/scaneo_format.py": "tests/al_loop/campaigns/importing/test_scaneo.py",
    "al_loop/errors.py": "tests/al_loop/campaigns/test_labelling.py",
    "al_loop/quality/agreement.py": "tests/service/routes/test_agreement.py",
    "al_loop/quality/label_errors.py": "tests/al_loop/quality/test_confident_learning.py",
    "al_loop/quality/relabel_queue.py": "tests/service/routes/test_relabels.py",
    "al_loop/quality/suggestion_outcomes.py": "tests/al_loop/serving/test_suggestions.py",
    "al_loop/runtime/journal.py": "tests/al_loop/serving/test_prediction_log.py",
    "al_loop/scheduler.py": "tests/al_loop/test_loop.py",
    "al_loop/serving/predictions.py": "tests/service/routes/test_predictions.py",
    "al_loop/serving/sample_files.py": "tests/service/routes/test_pictures.py",
    "service/openapi/words.py": "tests/service/openapi/test_document.py",
    "service/routes/people.py": "tests/service/access/test_people.py",
    "al_loop/serving/sam/pixel_features.py": "tests/al_loop/serving/sam/test_region_growing.py",
    "al_loop/serving/sam/prompt.py": "tests/al_loop/serving/sam/test_outline.py",
    "al_loop/store/tables/assists.py": "tests/service/routes/test_assists.py",
    "al_loop/store/tables/renewals.py": "tests/al_loop/campaigns/imagery/test_checking.py",
    "al_loop/store/tables/jobs.py": "tests/al_loop/store/tables/test_rounds.py",
    "models/card.py": "tests/models/test_registry.py",
    "models/errors.py": "tests/models/rasters/test_reading.py",
    "models/geo/footprints.py": "tests/models/geo/test_places.py",
    "models/heads/held_out.py": "tests/al_loop/quality/test_confident_learning.py",
    "models/heads/losses.py": "tests/models/heads/test_linear_head_multi_label.py",
    "models/inference/image_model.py": "tests/models/inference/test_predictor.py",
    "models/manifest.py": "tests/models/training/data/test_dataset.py",
    "models/progress.py": "tests/models/test_train.py",
    "models/rasters/regions.py": "tests/models/rasters/test_specks.py",
    "models/synthetic/land.py": "tests/models/synthetic/test_scenes.py",
    "models/training/data/batches.py": "tests/models/training/data/test_augmentations.py",
    "models/training/data/label_counts.py": "tests/models/training/test_evaluate.py",
    "models/training/networks/encoders.py": "tests/models/training/networks/test_architectures.py",
    "service/demo/server.py": "tests/examples/test_examples.py",
    "service/openapi/contents.py": "tests/service/openapi/test_schemathesis.py",
    "service/openapi/uploads.py": "tests/service/routes/test_predictions.py",
    "service/routes/model_versions.py": "tests/service/routes/test_rounds.py",
}

UNTESTED = {  # run by hand, with `make demo`
    "service/demo/__main__.py",
    "service/demo/annotator.py",
    "service/demo/campaigns.py",
    "service/demo/findings.py",
}
"""Modules that no test runs."""
