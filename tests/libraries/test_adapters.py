import sys

import numpy as np
import pytest

from stable_softmax import (
    FP32,
    FP64,
    absolute_error,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    log_softmax_exact,
    softmax_exact,
)
from stable_softmax.libraries.adapters import (
    available_frameworks,
    call_all,
    describe_machine,
    gluon_loss,
    import_mxnet,
    is_installed,
    why_no_mxnet,
)
from tests.cases import MAIN_FORMATS

needs_mxnet = pytest.mark.skipif(not is_installed("mxnet"), reason=why_no_mxnet())

NAMES = {"SciPy": "scipy", "PyTorch": "torch", "MXNet": "mxnet"}
CALLS = [(name, call) for name in NAMES for call in ("softmax", "log_softmax", "logsumexp")]
CALLS.remove(("MXNet", "logsumexp"))  # MXNet has none
X = np.random.default_rng(0).normal(size=(20, 10))


def function_of(name, call):
    """Return a library's function, or skip the test with the reason."""
    if name not in available_frameworks():
        pytest.skip(why_no_mxnet() if name == "MXNet" else f"{name} is not installed here")
    return available_frameworks()[name].functions[call]


def test_the_table_holds_the_installed_libraries_and_no_other():
    installed = {name for name, module in NAMES.items() if is_installed(module)}
    assert set(available_frameworks()) == installed


def test_a_missing_module_is_told_without_an_error():
    assert is_installed("numpy")
    assert not is_installed("a_module_that_does_not_exist")


def test_the_reason_names_this_machine():
    assert f"Python {sys.version_info[0]}.{sys.version_info[1]}" in why_no_mxnet()


def test_without_mxnet_the_import_gives_the_reason(monkeypatch):
    monkeypatch.setattr("stable_softmax.libraries.adapters.is_installed", lambda module: False)
    with pytest.raises(ImportError, match="MXNet is not installed here"):
        import_mxnet()


def test_the_machine_is_described_in_text():
    described = describe_machine()
    assert {"CPU", "Python", "NumPy"} <= set(described)
    assert set(available_frameworks()) <= set(described)
    assert all(isinstance(value, str) and value for value in described.values())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "call"), CALLS)
def test_adapters_keep_dtype_and_input_and_are_close_to_the_exact_value(name, call, dtype):
    function = function_of(name, call)
    x = X.astype(dtype)
    before = x.copy()
    y = function(x)
    assert isinstance(y, np.ndarray)
    assert y.dtype == dtype
    np.testing.assert_array_equal(x, before)
    exact = {
        "softmax": softmax_exact,
        "log_softmax": log_softmax_exact,
        "logsumexp": lambda x: x[:, 0] - log_softmax_exact(x)[:, 0],
    }[call](x)
    # oneDNN inside MXNet is good to a few 1e-6 in float32 and its digits depend on the CPU
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(y, exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["PyTorch", "MXNet"])
def test_the_cross_entropy_of_a_library_is_one_loss_per_sample(name):
    function = function_of(name, "cross_entropy")
    x, labels = X.astype(np.float32), np.arange(20) % 10
    y = function(x, labels)
    assert y.shape == (20,)
    np.testing.assert_allclose(y, cross_entropy_exact(x, labels), rtol=0, atol=1e-5)


@needs_mxnet
def test_the_alias_of_numpy_is_taken_away_after_the_import():
    had = "bool" in vars(np)
    import_mxnet()
    assert ("bool" in vars(np)) == had


@needs_mxnet
def test_gluon_loss_takes_options_and_weights():
    x, labels = X.astype(np.float32), np.arange(20) % 10
    plain = gluon_loss(x, labels)
    np.testing.assert_allclose(plain, cross_entropy_exact(x, labels), rtol=0, atol=1e-5)
    np.testing.assert_allclose(gluon_loss(x, labels, weight=2), 2 * plain, rtol=1e-6)
    weights = np.linspace(0, 1, 20)[:, None]
    # weights and products are rounded to float32
    weighted = gluon_loss(x, labels, weights)
    np.testing.assert_allclose(weighted, weights[:, 0] * plain, rtol=8 * FP32.unit_roundoff)


@pytest.mark.parametrize("name", ["PyTorch", "MXNet"])
def test_gradients_of_the_loss_come_from_the_library(name):
    labels = np.arange(20) % 10
    got = function_of(name, "cross_entropy_gradient")(X, labels)
    exact = cross_entropy_gradient_exact(X, labels)
    # the libraries form p - 1 at the label: 20 roundings of numbers of size one
    assert np.max(absolute_error(got, exact)) <= 20 * FP64.unit_roundoff


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_results_keep_each_format_that_the_library_has(name, fmt):
    function_of(name, "softmax")
    library = available_frameworks()[name]
    if fmt.name not in library.formats:
        return
    x, labels = X.astype(fmt.dtype), np.zeros(20, dtype=int)
    for call, function in library.functions.items():
        result = function(x, labels) if "entropy" in call else function(x)
        assert result.dtype == fmt.dtype, call


def test_only_losses_are_called_with_labels():
    functions = {"softmax": lambda x: x + 1, "cross_entropy_gradient": lambda x, y: x * y}
    assert call_all(functions, 2, 5) == {"softmax": 3, "cross_entropy_gradient": 10}


def test_functions_come_with_their_names():
    with pytest.raises(TypeError, match="functions must be a dictionary .*, not a list"):
        call_all([abs], 2, 5)
