"""Write generated scenes to try al-loop on: `python examples/make_scenes.py imagery`.

Makes three things below the directory:

* `fields/`: chips of 64 x 64 px, 4 bands (blue, green, red, near infrared), uint16, 10 m, EPSG:32631; no labels;
* `fields.json`: the land cover of each chip, by its path below `fields/`, for the simulated annotator;
* `masks/`: the same chips with a mask beside each, as a labelled folder to import.
"""

import argparse
import json
import shutil
from pathlib import Path

from al_loop_app import find_packages

find_packages()  # al-loop's `models`, also where it was installed from a wheel
from models.synthetic.scenes import write_scenes  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--scenes", type=int, default=3, help="scenes of 64 chips each (default: 3)")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    masks, fields = arguments.directory / "masks", arguments.directory / "fields"
    answers = {}
    for chip in write_scenes(masks, scenes=arguments.scenes, seed=arguments.seed):
        target = fields / chip.path.relative_to(masks)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(chip.path, target)
        answers[target.relative_to(fields).as_posix()] = chip.class_name
    (arguments.directory / "fields.json").write_text(json.dumps(answers, indent=1))
    print(f"{len(answers)} chips in {fields}, their answers in {arguments.directory / 'fields.json'}")


if __name__ == "__main__":
    main()
