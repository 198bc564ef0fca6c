"""What an encoder trained on the pool without labels adds to frozen features, at 1, 5 and 10 % of the labels.

EuroSAT RGB. The encoder starts from the shipped weights, is trained by Barlow Twins on all chips but those of the test,
and is kept in `--cache`, so that the same call later goes on from there. Heads see what a service ranks by (simple
features and an encoder in one space) with labels drawn at random. Each seed draws labels anew; the test stays, since
the encoder must not have seen it.

Run: python -m tests.benchmarks.bench_pretraining SHARED_DATA [--cache DIR] [--minutes 10] [--seeds 10]
"""

import argparse
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from models.card import BandPolicy
from models.encoders.graph import EMBEDDING, INPUT
from models.heads.linear_head import fit_head
from models.pretrain import main as pretrain
from models.pretrain_config import SHIPPED, SUMMARY_FILE, PretrainConfig, PretrainSummary
from models.pretraining.spec import PretrainSpec, write_spec
from models.rasters.reading import read_raster
from models.registry import ONNX_FILE
from models.scoring.embedding_space import fit_space
from tests.benchmarks.bench_learning import draw
from tests.benchmarks.labelled_chips import BATCH, labelled_chips

SET = "eurosat_rgb"
SHARES = (0.01, 0.05, 0.1)


def main() -> None:
    """Print the accuracy of each kind of features, and paired differences from the frozen ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with eurosat_rgb")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "al-loop-learning")
    parser.add_argument("--minutes", type=float, default=10, help="of training without labels")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chips = labelled_chips(arguments.data, SET, arguments.cache)
    paths = sorted((arguments.data / SET).glob("*/*.jpg"))
    asked, test = draw(chips, 0, unseen=True, rare=False)
    own = trained(paths, asked, arguments.cache / f"barlow-{arguments.minutes:g}", arguments.minutes)
    frozen = chips.frozen[:, : chips.stages]
    kinds = {
        "frozen": [frozen, chips.features],
        "frozen and own": [frozen, own, chips.features],
        "own": [own, chips.features],
    }
    spaces = {
        name: fit_space([part[asked] for part in parts], leading=0).apply(parts).astype(np.float32)
        for name, parts in kinds.items()
    }
    targets = np.eye(len(chips.names), dtype=np.float32)[chips.codes]
    for share in SHARES:
        found: dict[str, list[float]] = {name: [] for name in spaces}
        for seed in range(arguments.seeds):
            rows = np.random.default_rng(seed).permutation(asked)[: round(share * len(asked))]
            for name, space in spaces.items():
                head = fit_head(space[rows], targets[rows], rng=np.random.default_rng(0))
                right = head.probabilities(space[test]).argmax(axis=1) == chips.codes[test]
                found[name].append(float(right.mean()))
        for name, values in found.items():
            gain = 100 * np.subtract(values, found["frozen"])
            error = gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else np.nan
            print(
                f"{share:.0%}, {round(share * len(asked))} labels, {name}: accuracy {np.mean(values):.3f}, "
                f"{gain.mean():+.1f} points, standard error {error:.1f}",
                flush=True,
            )


def trained(paths: list[Path], asked: NDArray[np.int64], folder: Path, minutes: float) -> NDArray[np.float32]:
    """Embeddings (N, D) of all chips by an encoder that was trained on some of them."""
    file = folder / "own.npy"
    if not file.is_file():
        if not (folder / "out" / ONNX_FILE).is_file():
            config = PretrainConfig(encoder=SHIPPED, minutes=minutes, device="cpu")
            spec = PretrainSpec(
                version="ssl-1", campaign="benchmark", config=config, source_bands=3, bands=[1, 2, 3],
                paths=[str(paths[row]) for row in np.random.default_rng(0).permutation(asked)],
                band_policy=BandPolicy(),
            )  # fmt: skip
            write_spec(folder / "spec", spec)
            if pretrain([str(folder / "spec"), "--out", str(folder / "out")]) != 0:
                raise SystemExit((folder / "out" / "error.txt").read_text())
        print(msgspec.json.decode((folder / "out" / SUMMARY_FILE).read_bytes(), type=PretrainSummary))
        session = onnxruntime.InferenceSession(folder / "out" / ONNX_FILE, providers=["CPUExecutionProvider"])
        parts = []
        for start in range(0, len(paths), BATCH):
            images = np.stack([read_raster(path, (1, 2, 3)) for path in paths[start : start + BATCH]])
            parts.append(session.run([EMBEDDING], {INPUT: images})[0])
        np.save(file, np.concatenate(parts))
    answer: NDArray[np.float32] = np.load(file)
    return answer


if __name__ == "__main__":
    main()
