import numpy as np
import pytest

from stable_softmax import log_softmax_exact
from stable_softmax.libraries.adapters import available_frameworks, is_installed, why_no_mxnet
from stable_softmax.libraries.mxnet_process import (
    functions_here,
    functions_in_fresh_mxnet,
    log_softmax_here,
    log_softmax_in_fresh_mxnet,
    parse_onednn_log,
    trace_log_softmax,
)

needs_mxnet = pytest.mark.skipif(not is_installed("mxnet"), reason=why_no_mxnet())

LOG = """dnnl_verbose,info,oneDNN v2.4.4
dnnl_verbose,info,cpu,isa:Intel AVX2
something else
dnnl_verbose,exec,cpu,softmax,jit:avx2,forward_inference,data_f32::blocked:ab:f0 \
diff_undef::undef::f0,,alg:logsoftmax axis:1,1x2,0.00415039
dnnl_verbose,exec,cpu,reorder,simple:any,undef,src_f32,,,2x2,0.1
"""


def test_the_log_of_onednn_is_reduced_to_the_kernels():
    assert parse_onednn_log(LOG) == ["softmax, jit:avx2, alg:logsoftmax", "reorder, simple:any"]
    assert parse_onednn_log("") == []


def test_without_mxnet_the_reason_is_given(monkeypatch):
    monkeypatch.setattr("stable_softmax.libraries.mxnet_process.is_installed", lambda module: False)
    with pytest.raises(ImportError, match="MXNet is not installed here"):
        log_softmax_in_fresh_mxnet([np.zeros(2)])
    with pytest.raises(ImportError, match="MXNet is not installed here"):
        trace_log_softmax(np.zeros(2))
    with pytest.raises(ImportError, match="MXNet is not installed here"):
        functions_in_fresh_mxnet([(np.zeros((1, 2)), np.zeros(1))])


@needs_mxnet
def test_arrays_come_back_in_their_order_with_shape_and_dtype():
    arrays = [
        np.zeros((2, 3), np.float32),
        np.array([[0.0], [1.0]]),
        np.arange(5, dtype=np.float16),
    ]
    results = log_softmax_in_fresh_mxnet(arrays, MXNET_SAFE_ACCUMULATION="1")
    for x, y in zip(arrays, results, strict=True):
        assert y.dtype == x.dtype
        # a few roundings of float16; 1e-5 for oneDNN in float32
        tolerance = {"float64": 1e-15, "float32": 1e-5, "float16": 4e-3}[x.dtype.name]
        np.testing.assert_allclose(y, log_softmax_exact(x, dtype="fp64"), rtol=0, atol=tolerance)


@needs_mxnet
def test_this_process_gives_the_same_as_a_fresh_one():
    x = np.random.default_rng(0).normal(size=(3, 4))
    (here,), (there,) = log_softmax_here([x], 0), log_softmax_in_fresh_mxnet([x], axis=0)
    np.testing.assert_array_equal(here, there)


@needs_mxnet
def test_the_trace_names_a_kernel_of_onednn_or_none():
    y, kernels = trace_log_softmax(np.zeros((1, 2), np.float32))
    np.testing.assert_allclose(y, -np.log(2), atol=1e-5)
    assert all(kernel.startswith("softmax, ") for kernel in kernels)
    assert trace_log_softmax(np.zeros((1, 2)))[1] == []  # float64 stays with MXNet


@needs_mxnet
def test_all_functions_of_several_batches_come_from_one_process():
    x = np.random.default_rng(0).normal(size=(5, 4))
    batches = [(x, np.arange(5) % 4), (x[:2].astype(np.float16), np.array([3, 0]))]
    results = functions_in_fresh_mxnet(batches, MXNET_MKLDNN_ENABLED="0")
    for (logits, labels), result in zip(batches, results, strict=True):
        functions = available_frameworks()["MXNet"].functions
        assert set(result) == set(functions)
        assert {r.dtype for r in result.values()} == {logits.dtype}
        np.testing.assert_allclose(
            result["cross_entropy"], functions["cross_entropy"](logits, labels), rtol=1e-2
        )
    np.testing.assert_allclose(results[0]["log_softmax"], log_softmax_exact(x), rtol=1e-12)
    (here,) = functions_here(batches[:1])
    assert set(here) == set(results[0])
