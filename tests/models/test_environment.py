"""What a training ran in, and what is different between two of them."""

import msgspec

from models.environment import code_digest, environment_differences, present_environment


def test_environment_names_code_packages_and_machine() -> None:
    found = present_environment(threads=2, device="cpu")
    assert len(found.code_digest) == 16
    assert found.code_digest == code_digest()
    assert {"numpy", "onnxruntime-gpu"} <= set(found.libraries)
    assert found.processor
    assert environment_differences(found, found) == []


def test_differences_are_named_one_by_one() -> None:
    then = present_environment(threads=2, device="cpu")
    now = msgspec.structs.replace(
        then, threads=8, code_digest="0" * 16, libraries={**then.libraries, "torch": "99.1", "extra": "1"}
    )
    told = environment_differences(then, now)
    assert told[0] == f"other sources of al-loop {then.code_version}"
    assert "threads 2 then, 8 now" in told
    assert "extra missing then, 1 now" in told
    assert f"torch {then.libraries['torch']} then, 99.1 now" in told
    older = msgspec.structs.replace(then, code_digest="0" * 16, code_version="0.0.1")
    assert environment_differences(older, then) == [f"al-loop 0.0.1 then, {then.code_version} now"]
