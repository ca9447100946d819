"""What the summary of the chapter gpu states, asserted of the record."""

import numpy as np
import pytest

from stable_softmax import FP16, cross_entropy_exact, round_to
from stable_softmax.experiments.gpu import record
from tests.pages import read

LOGITS = np.array([[12, 0, 0, 0], [0, 12, 0, 0], [0.5, 0.25, 0, 1]])


def table(name):
    return record()["tables"][name]


def test_zeros_of_the_cpu():
    """
    On the H100 the loss of two sure classes becomes 0 at a gap of 16.75 in float16 and bfloat16 as
    in float32; on a CPU it becomes 0 at 7.75 and 5.75.
    """
    pytest.importorskip("torch")
    from stable_softmax.experiments.gpu_measures import sure

    there = {name: row["loss 0 from gap"] for name, row in table("sure").items()}
    assert there == {"fp64": 36.75, "fp32": 16.75, "fp16": 16.75, "bf16": 16.75}
    here = sure("cpu")
    assert here["fp16"]["loss 0 from gap"] == 7.75 and here["bf16"]["loss 0 from gap"] == 5.75


def test_a_float32_that_was_rounded():
    """
    Under autocast on the H100, `F.cross_entropy` of bfloat16 logits returned a float32 number that
    had been rounded to bfloat16, and `F.cross_entropy(x.float())` did not.
    """
    exact = cross_entropy_exact(LOGITS, [0, 0, 0])
    rounded = [*table("autocast")["F.cross_entropy(x)"].values()]
    np.testing.assert_array_equal(rounded, round_to(rounded, "bf16"), strict=False)
    assert rounded[2] == 1.3984375
    wide = np.array([*table("autocast")["F.cross_entropy(x.float())"].values()])
    # the first loss is log(1 + 1.8e-5) in float32: half an ulp of 1, 6e-8, is left out of it
    assert np.all(np.abs(wide - exact) <= 1e-6) and np.abs(rounded - exact)[2] > 3e-3


def test_a_count_that_is_infinite():
    """
    With 65,520 samples in float16 the H100 returns the right loss and a gradient of zeros, because
    this count is infinity in float16.
    """
    rows = table("samples")
    for n, count in (65_519, "65,519 in fp16"), (65_520, "65,520 in fp16"):
        row = rows[count]
        assert abs(row["loss"] - np.log(2)) <= 2**-11 * np.log(2)  # log 2, rounded to float16
        with np.errstate(over="ignore"):
            infinite = np.isinf(round_to(float(n), FP16))
        assert infinite == (row["gradient x N"] == 0) == (n == 65_520)


def test_a_row_that_sees_all():
    """
    For a query that may see no key, cuDNN's attention with a boolean mask returned the softmax of
    all scores.
    """
    weights = np.array([*table("masked")["cuDNN, boolean mask"].values()])
    e = np.exp([0, 1, 2, 3, 0, 1, 2, 3])
    # bfloat16: half an ulp is at most 2**-8 of a number; the record has five digits
    np.testing.assert_allclose(weights, e / e.sum(), rtol=2**-8, atol=1e-5)
    assert table("masked")["default, boolean mask"] == table("masked")["cuDNN, boolean mask"]
    assert not any(table("masked")["cuDNN, mask of -inf"].values())


def test_the_kernel_decides_the_digits():
    """
    Where TF32 is allowed, a batch of one was more than 1000 times more accurate than a batch of
    eight; with the classes on the first axis, softmax erred by 337 ulp in place of 11.
    """
    rms = {name: row["rms error"] for name, row in table("batch").items()}
    assert rms["TF32, batch of 8"] > 1000 * rms["TF32, batch of 1"]
    assert rms["TF32, batch of 1"] == rms["float32, batch of 1"]
    last, first = table("axis")["128,256 classes"].values()
    assert (f"{first:.0f}", f"{last:.0f}") == ("337", "11")


def test_training_and_inference_are_equally_far_from_the_truth():
    """
    The log-probabilities of one network, run as in training and as in inference, differ by as much
    as each differs from float64.
    """
    rms = {name: row["rms"] for name, row in table("train").items()}
    assert rms["inference, twice"] == 0
    apart = rms["training / inference"]
    assert apart == pytest.approx(rms["training / float64"], rel=0.1)
    assert apart == pytest.approx(rms["inference / float64"], rel=0.1)


def test_float64_inside():
    """
    Computed in float64 inside one compiled kernel, softmax in float32 took 22 to 57 percent longer
    on the H100 and was correctly rounded everywhere.
    """
    plain, wide = (table("speed")[n] for n in ("F.softmax, compiled", "float64 inside, compiled"))
    longer = [100 * (wide[n] / plain[n] - 1) for n in plain]
    assert (f"{min(longer):.0f}", f"{max(longer):.0f}") == ("22", "57")
    assert table("accuracy")["float64 inside, compiled"] == {
        "worst ulp": 0.5,
        "correctly rounded": 1.0,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("there are six, and up to 38 percent", lambda: _bits("50,257", 6, 38)),
        ("79 percent of the classes differ", lambda: _percent("equal", "F.softmax", 79)),
        (
            "For 32,000 and 128,256 classes there is one result",
            lambda: _bits("32,000", 1, 0) and _bits("128,256", 1, 0),
        ),
        (
            "and 1.7 to 1.9 times the time of the fastest",
            lambda: _times("ms, 16,384 tokens") == ["1.7", "1.8", "1.9"],
        ),
        (
            "six times the bytes of the logits in bfloat16",
            lambda: (
                round(
                    table("vocabulary")["float32 logits"]["MiB, 16,384 tokens"]
                    / (16_384 * 128_256 * 2 / 2**20),
                    2,
                )
                == 6
            ),
        ),
        ("For 1000 classes PyTorch's softmax is at the limit", lambda: _share("n = 1,000") > 0.99),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_number_in_the_text_is_that_of_the_record(text, value):
    assert text in " ".join(read("book/gpu").split())
    assert value()


def _bits(classes, results, percent):
    row = table("bits")[f"{classes} classes"]
    differ = f"{100 * row['logits that differ']:.0f}"
    return (row["different results"], differ) == (results, str(percent))


def _percent(name, row, percent):
    return f"{100 * table(name)[row]['classes that differ']:.0f}" == str(percent)


def _times(column):
    times = {name: row[column] for name, row in table("vocabulary").items()}
    kept = ["recomputed, compiled", "chunks of tokens", "chunks of classes"]
    least = min(times.values())
    return sorted(f"{times[name] / least:.1f}" for name in kept if name in times)


def _share(n):
    return table("speed")["torch.exp, one read and one write"][n] / table("speed")["F.softmax"][n]
