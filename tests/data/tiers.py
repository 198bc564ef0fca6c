"""Which tests run when: `make test-fast`, `make test`, and all of them in CI by `make test-all`."""

from collections.abc import Iterable

import pytest

SLOW_FIXTURES = {  # a running service or SCANEO, a browser, a training
    "start_service", "http", "open_desk", "chromium", "nginx", "scaneo_home", "trained_run", "pretrained_run",
    "shared_data", "machines", "eotdl_python", "geodeep", "super_model", "super_model_4x",
}  # fmt: skip
SLOW_FILES = (  # whole runs: trainings, simulations, servers, processes that are killed, examples, pages
    "tests/e2e", "tests/examples", "tests/service/access", "tests/service/commands", "tests/service/page",
    "tests/service/routes", "tests/service/test_cli.py", "tests/test_docs.py", "tests/test_packaging.py",
    "tests/al_loop/runtime/test_processes.py", "tests/al_loop/scoring/test_refit", "tests/al_loop/simulation",
    "tests/al_loop/campaigns/importing/test_import_to_training.py", "tests/al_loop/store/test_crash.py",
    "tests/al_loop/store/test_older_data_directory.py", "tests/al_loop/training/test_rounds.py",
    "tests/models/tasks/test_adding_a_task.py", "tests/models/test_pretrain.py", "tests/models/test_score_pool.py",
    "tests/models/test_train.py", "tests/models/training/pixels/test_examples.py",
    "tests/models/training/test_export.py", "tests/models/training/test_incumbent.py",
    "tests/models/training/test_quick.py", "tests/models/training/running/test_workers.py::test_two_workers",
    "tests/service/limits/test_network.py", "tests/al_loop/runtime/cluster", "tests/models/training/objects",
    "tests/models/training/networks/test_tuned.py", "tests/models/training/running/test_checkpoints.py",
    "tests/al_loop/serving/exporting/test_model_folder.py", "tests/models/inference/scenes/test_run.py",
    "tests/models/test_train_super_resolution.py", "tests/models/super_resolution/test_exporting.py",
    "tests/models/super_resolution/test_resolver.py", "tests/models/super_resolution/test_scene.py",
    "tests/al_loop/serving/pictures/test_super_resolved.py",
    # Each more than a second of processor time.
    "tests/al_loop/campaigns/importing/test_recognise.py::test_any_folder", "tests/models/heads/test_linear_head",
    "tests/al_loop/campaigns/importing/test_mask_pairs.py::test_any_mask", "tests/deploy/test_alerts.py",
    "tests/al_loop/campaigns/imagery/test_labelled.py::test_reserve_and_pool_never", "tests/service/test_log.py",
    "tests/al_loop/campaigns/scenes/test_windowing.py::test_scene_of_too_many",
    "tests/al_loop/campaigns/test_check_label.py::test_ten_thousand", "tests/al_loop/domain/test_line_places.py",
    "tests/al_loop/domain/test_geojson.py::test_10_000", "tests/al_loop/quality/test_confident_learning.py",
    "tests/al_loop/quality/test_savings.py", "tests/al_loop/scoring/test_frozen_encoder.py",
    "tests/al_loop/store/tables/test_imports.py::test_importing_twice", "tests/al_loop/store/test_pool_index.py::Test",
    "tests/al_loop/store/test_store_model.py", "tests/al_loop/training/triggers/test_month.py",
    "tests/models/geo/test_lines.py::test_a_scribble", "tests/models/rasters/test_crs.py::test_rasterio_itself",
    "tests/test_architecture.py::test_import_does_not_load",
    # Together a minute of processor time.
    "tests/al_loop/campaigns/exporting/test_boxes.py", "tests/al_loop/campaigns/imagery/test_checking.py",
    "tests/al_loop/campaigns/imagery/test_copies.py", "tests/al_loop/campaigns/overlaying/test_plan.py",
    "tests/al_loop/campaigns/scenes/test_windowing.py", "tests/al_loop/client/test_operators.py",
    "tests/al_loop/querying/test_sampler_skips.py", "tests/al_loop/querying/test_sampler_spread.py",
    "tests/al_loop/runtime/test_executor.py", "tests/al_loop/scoring/test_served_probabilities.py",
    "tests/al_loop/serving/test_model_server.py", "tests/al_loop/store/test_migrations.py",
    "tests/al_loop/test_scheduler.py", "tests/al_loop/training/test_snapshot.py",
    "tests/al_loop/upkeep/test_backup.py", "tests/models/pictures/test_levels.py",
    "tests/models/tasks/detection/test_matching.py", "tests/models/test_metrics.py",
    "tests/models/training/running/test_workers.py",
)  # fmt: skip

THOROUGH = (  # up to minutes each, and of most of them a cheaper test shows the heart
    "tests/al_loop/runtime/cluster/test_alone.py::test_head_that_is_killed",
    "tests/al_loop/runtime/cluster/test_blind_machine.py", "tests/al_loop/runtime/cluster/test_restart.py",
    "tests/al_loop/runtime/cluster/test_driver.py::test_stop_of_the_service",
    "tests/al_loop/runtime/cluster/test_program.py", "tests/al_loop/runtime/cluster/test_shards.py",
    "tests/al_loop/runtime/cluster/test_together.py", "tests/al_loop/simulation/test_run.py",
    "tests/al_loop/simulation/fast/test_pixels.py", "tests/e2e/test_loop.py",
    "tests/e2e/test_scaneo_in_browser.py", "tests/examples",
    "tests/models/training/objects/test_fit.py::test_deep_round",
    "tests/models/training/running/test_checkpoints.py::test_training_that_was_cut_off_twice",
    "tests/models/training/running/test_workers.py::test_two_workers", "tests/service/openapi/test_schemathesis.py",
    "tests/service/limits/test_full_disk.py::test_round", "tests/service/page/test_layout.py",
    "tests/service/page/test_start.py::test_page_fits", "tests/service/routes/test_comparisons.py::test_models_trained",
    "tests/service/routes/test_lineage.py::test_deep_round", "tests/test_packaging.py::test_wheel_runs",
    "tests/service/routes/test_unusual_input.py::test_classes_beyond",
    "tests/service/routes/test_rounds.py::test_kills_lose_no_label_and_the_round_is_accounted_for",
    "tests/models/test_compare.py", "tests/models/test_pretrain.py::test_pairs_of_one_kind",
    "tests/models/test_pretrain.py::test_partner_that_vanished", "tests/models/test_pretrain.py::test_bands_are_taken",
    "tests/models/training/networks/test_tuned.py::test_run_trains_heads",
    "tests/al_loop/runtime/cluster/test_driver.py::test_program_goes_on_on_another_machine",
    "tests/al_loop/runtime/cluster/test_driver.py::test_cancelled_program_that_waits",
    "tests/al_loop/runtime/cluster/test_driver.py::test_cancelled_program_ends_although",
    "tests/al_loop/serving/exporting/test_model_folder.py::test_client_of_eotdl",
    "tests/service/openapi/test_document.py::test_route_is_tried_out",
    "tests/service/requests/test_odd_requests.py::test_odd_bodies",
    "tests/service/routes/test_campaigns.py::test_campaign_with_a_model",
    "tests/service/routes/test_classes.py::test_model_serves_on",
    "tests/service/page/test_super_resolved_view.py",
    "tests/service/commands/test_super_resolution.py::test_training_in_a_program",
    "tests/al_loop/runtime/cluster/test_driver.py::test_failure_of_a_program",
    "tests/al_loop/runtime/cluster/test_driver.py::test_program_whose_actor",
    "tests/al_loop/runtime/cluster/test_driver.py::test_lack_of_memory",
    "tests/al_loop/runtime/cluster/test_driver.py::test_cluster_of_another_version",
    "tests/al_loop/runtime/cluster/test_driver.py::test_cancelled_program_ends_with",
    "tests/models/test_pretrain.py::test_training_from_an_encoder", "tests/models/test_pretrain.py::test_given_weights",
    "tests/models/test_train.py::test_retraining_is_compared",
    "tests/models/training/running/test_checkpoints.py::test_checkpoint_of_another_network",
    "tests/models/training/test_export.py::test_graph_of_another_network",
    "tests/models/training/test_quick.py::test_deep_network_is_judged",
    "tests/service/routes/test_growing_classes.py::test_class_added_later",
    "tests/service/routes/test_scene_predictions.py::test_prediction_goes_on_after",
    "tests/models/training/pixels/test_examples.py::test_parts_of_pixels",
    "tests/service/routes/test_super_resolved_view.py::test_four_times",
    "tests/models/training/test_export.py::test_map_finer", "tests/service/access/test_caddy.py",
    "tests/deploy/test_alerts.py::test_rules_are_valid", "tests/deploy/test_alerts.py::test_alerts_fire",
    "tests/al_loop/campaigns/exporting/test_eotdl_client.py",
    "tests/al_loop/quality/test_savings.py::test_interval_covers_what_a_label_is_worth[4.0",
    "tests/al_loop/quality/test_savings.py::test_interval_covers_what_a_label_is_worth[0.25",
    "tests/al_loop/scaneo/test_links.py::test_real_images_are_linked_and_answered_for[scaneo_samples/boadella",
    "tests/service/routes/test_rounds.py::test_as_many_campaigns_train_side_by_side_as_the_settings_allow[1",
)  # fmt: skip
"""Left out by `make test`, run by CI (`make test-all`)."""

LONGEST = (  # minutes each, together in one worker: what is begun last is waited for, and one Ray cluster is enough
    ("tests/al_loop/runtime/cluster",),
    ("tests/service/routes/test_rounds.py", "tests/service/routes/test_comparisons.py", "tests/service/limits"),
    ("tests/examples", "tests/e2e", "tests/models/training/objects", "tests/models/training/running"),
    ("tests/service/access", "tests/service/page", "tests/al_loop/simulation"),
)


def mark(items: Iterable[pytest.Item]) -> None:
    """Mark tests as `slow`, which `make test-fast` leaves out, and as `thorough`, which `make test` leaves out, too."""
    for item in items:
        if item.nodeid.startswith(THOROUGH):
            item.add_marker("thorough")
        if item.nodeid.startswith(SLOW_FILES + THOROUGH) or set(getattr(item, "fixturenames", ())) & SLOW_FIXTURES:
            item.add_marker("slow")
