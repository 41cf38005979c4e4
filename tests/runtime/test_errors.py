import inspect
from pathlib import Path

import pytest

from condmix.runtime import errors


def test_every_error_derives_from_the_one_base_and_from_a_builtin():
    found = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__]
    assert len(found) >= 7
    for error in found:
        assert issubclass(error, errors.InferenceError)
        assert issubclass(error, RuntimeError)


@pytest.mark.parametrize(
    "error", [errors.InvalidSettingError, errors.InvalidRecordError, errors.ComparisonImpossibleError]
)
def test_errors_about_given_values_are_value_errors(error: type[Exception]):
    assert issubclass(error, ValueError)


def test_a_missing_engine_carries_the_line_that_installs_it():
    error = errors.EngineMissingError("onnxruntime", "onnxruntime", "No module named 'onnxruntime'")
    assert error.install_line == 'pip install "condmix[onnxruntime]"'
    assert str(error) == (
        "the engine 'onnxruntime' cannot be used: No module named 'onnxruntime'. "
        'Install it with: pip install "condmix[onnxruntime]"'
    )


def test_a_missing_environment_carries_the_line_that_builds_it():
    error = errors.EnvironmentMissingError("tflite-runtime", "there is no folder 'site'", "pip install --target site x")
    assert isinstance(error, errors.EngineMissingError)
    assert (error.engine, error.install_line) == ("tflite-runtime", "pip install --target site x")
    assert str(error) == (
        "the engine 'tflite-runtime' cannot be used: there is no folder 'site'. "
        "Install it with: pip install --target site x"
    )


def test_an_engine_s_words_become_one_line():
    assert errors.one_line(ValueError(" first\n\tsecond. ")) == "first second"


def test_problems_are_listed_one_a_line():
    error = errors.SignatureMismatchError(["'x' is missing", "'y' is wrong"])
    assert error.problems == ("'x' is missing", "'y' is wrong")
    assert str(error) == "the inputs do not fit the model:\n  - 'x' is missing\n  - 'y' is wrong"


def test_setting_and_record_errors_name_the_record():
    assert str(errors.InvalidSettingError(["relative is -1"], record="Tolerance")) == (
        "Tolerance cannot be made:\n  - relative is -1"
    )
    assert str(errors.InvalidRecordError(["'a' is missing"], record="Artifact")) == (
        "this is not a valid Artifact record:\n  - 'a' is missing"
    )


def test_unreadable_and_failed_models_name_the_place():
    unreadable = errors.ModelUnreadableError("'a.onnx'", "the file is empty", "Write it again.")
    assert str(unreadable) == "'a.onnx' cannot be opened: the file is empty. Write it again."
    failed = errors.SessionFailedError("onnxruntime", "'a.onnx'", "out of memory")
    assert str(failed) == "onnxruntime failed while running 'a.onnx': out of memory"


def test_a_place_is_the_path_or_the_size():
    assert errors.describe_place(Path("a.onnx")) == "'a.onnx'"
    assert errors.describe_place(b"abc") == "a model of 3 bytes in memory"


def test_words_of_an_engine_become_part_of_a_sentence_and_have_an_end():
    assert errors.one_line(RuntimeError("no such\n  operator.")) == "no such operator"
    long = errors.one_line(RuntimeError("tensor is wrong. " * 100))
    assert long.startswith("tensor is wrong. tensor")
    assert long.endswith(" ...")
    assert len(long) <= errors.LONGEST_WORDS + 4
