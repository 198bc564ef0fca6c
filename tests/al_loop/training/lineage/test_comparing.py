"""The verdict on a model that was trained again: by its bits, or by its metrics in another environment."""

from pathlib import Path

import msgspec

from al_loop.training.lineage.comparing import WEIGHTS_FILE, compare
from models.card import ModelCard
from models.environment import Environment, present_environment
from models.registry import ONNX_FILE
from tests.al_loop.store.tables.test_rounds import EVALUATION
from tests.data.tiny_model import make_tiny_onnx

HERE = present_environment(threads=2, device="cpu")
SAME = {ONNX_FILE: "a" * 64, WEIGHTS_FILE: "b" * 64}
OTHER = {ONNX_FILE: "c" * 64, WEIGHTS_FILE: "d" * 64}


def card(folder: Path, environment: Environment | None, shift: float = 0.0) -> ModelCard:
    made = make_tiny_onnx(folder, version=f"v{len(list(folder.iterdir())) + 1}")
    (task,) = EVALUATION.candidate
    evaluation = msgspec.structs.replace(
        EVALUATION, candidate=[msgspec.structs.replace(task, value=task.value + shift)]
    )
    read = msgspec.json.decode((made / "card.json").read_bytes(), type=ModelCard)
    return msgspec.structs.replace(read, digests=SAME, environment=environment, evaluation=evaluation)


def test_equal_bits_settle_it(tmp_path: Path) -> None:
    result = compare(card(tmp_path, HERE), EVALUATION, card(tmp_path, HERE), SAME, tolerance=0.0, labels_rebuilt=False)
    assert (result.reproduced, result.compared) == (True, "digests")
    assert "are the same to the bit" in result.sentence
    only = compare(
        card(tmp_path, HERE), EVALUATION, card(tmp_path, HERE), OTHER | {WEIGHTS_FILE: SAME[WEIGHTS_FILE]},
        tolerance=0.0, labels_rebuilt=False,
    )  # fmt: skip
    assert (only.reproduced, only.sentence) == (True, f"reproduced: {WEIGHTS_FILE} is the same to the bit")


def test_other_bits_in_the_same_environment_are_no_reproduction(tmp_path: Path) -> None:
    result = compare(card(tmp_path, HERE), EVALUATION, card(tmp_path, HERE), OTHER, tolerance=0.5, labels_rebuilt=False)
    assert (result.reproduced, result.compared) == (False, "digests")
    assert "other bits in the same environment" in result.sentence


def test_another_torch_is_named_and_metrics_are_compared(tmp_path: Path) -> None:
    older = msgspec.structs.replace(HERE, libraries={**HERE.libraries, "torch": "2.0.0"})
    near = compare(
        card(tmp_path, older), EVALUATION, card(tmp_path, HERE, 0.01), OTHER, tolerance=0.02, labels_rebuilt=False
    )
    assert (near.reproduced, near.compared) == (True, "metrics")
    assert f"torch 2.0.0 then, {HERE.libraries['torch']} now" in near.sentence
    far = compare(
        card(tmp_path, older), EVALUATION, card(tmp_path, HERE, -0.1), OTHER, tolerance=0.02, labels_rebuilt=False
    )
    assert (far.reproduced, far.compared) == (False, "metrics")
    assert far.environment == [f"torch 2.0.0 then, {HERE.libraries['torch']} now"]


def test_round_that_several_workers_trained_is_compared_by_its_metrics(tmp_path: Path) -> None:
    together = msgspec.structs.replace(HERE, workers=2)
    near = compare(
        card(tmp_path, together), EVALUATION, card(tmp_path, together, 0.01), OTHER, tolerance=0.02,
        labels_rebuilt=False,
    )  # fmt: skip
    assert (near.reproduced, near.compared, near.environment) == (True, "metrics", ["trained by 2 workers"])
    assert "which may differ by 0.02, as bits cannot be compared (trained by 2 workers)" in near.sentence
    alone = compare(
        card(tmp_path, together), EVALUATION, card(tmp_path, HERE, 0.03), OTHER, tolerance=0.02, labels_rebuilt=False
    )
    assert (alone.reproduced, alone.environment) == (False, ["workers 2 then, 1 now"])


def test_pruned_version_and_gpu_are_compared_by_metrics(tmp_path: Path) -> None:
    gone = compare(None, EVALUATION, card(tmp_path, HERE), OTHER, tolerance=0.02, labels_rebuilt=True)
    assert (gone.reproduced, gone.compared, gone.labels_rebuilt) == (True, "metrics", True)
    assert "the files of the version are gone" in gone.sentence
    gpu = present_environment(threads=2, device="cuda")
    there = compare(card(tmp_path, gpu), EVALUATION, card(tmp_path, gpu), OTHER, tolerance=0.02, labels_rebuilt=False)
    assert (there.reproduced, there.environment) == (True, ["trained on a GPU"])
    unknown = compare(card(tmp_path, None), None, card(tmp_path, HERE), OTHER, tolerance=0.02, labels_rebuilt=False)
    assert (unknown.reproduced, unknown.compared) == (False, "metrics")
    assert "nothing was measured then" in unknown.sentence
