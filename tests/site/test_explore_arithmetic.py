"""The arithmetic behind the interactive figures, in the browser: bit for bit that of the book."""

import base64
import gzip
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

import stable_softmax as book
from stable_softmax import FORMATS, round_to
from stable_softmax.measure import exact as reference
from stable_softmax.measure.exact_parts import exact_parts

ASSETS = Path(__file__).parents[2] / "book" / "explorables"
ALL = ["fp64", "fp32", "fp16", "bf16", "e5m2", "e4m3"]
MINUS = "\N{MINUS SIGN}"
SHORT = ["fp16", "bf16", "e5m2", "e4m3"]


class Core:
    """The functions of explore_core.js, for arrays. Numbers travel as bytes: every bit counts."""

    def __init__(self, page):
        self.page = page
        page.add_script_tag(path=ASSETS / "explore_core.js")

    def __call__(self, body, x, fmt="fp64"):
        """Evaluate `body`, an expression for one row `x` of an array (or one number), and `f`."""
        x = np.asarray(x, dtype=np.float64)
        code = """([text, width, name]) => {
            const S = StableSoftmax, f = S.formats[name];
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const all = new Float64Array(bytes.buffer);
            const one = (x) => BODY;
            const out = [];
            for (let i = 0; i < all.length; i += width || 1) {
                out.push(one(width ? [...all.slice(i, i + width)] : all[i]));
            }
            const result = new Uint8Array(new Float64Array(out.flat()).buffer);
            return btoa(Array.from(result, (byte) => String.fromCharCode(byte)).join(""));
        }""".replace("BODY", body)
        width = x.shape[1] if x.ndim == 2 else 0
        result = self.page.evaluate(code, [base64.b64encode(x.tobytes()).decode(), width, fmt])
        result = np.frombuffer(base64.b64decode(result))
        return result.reshape(len(x), -1) if x.ndim == 2 else result


@pytest.fixture(scope="module")
def core(browser):
    page = browser.new_page()
    yield Core(page)
    page.close()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def special_values_are_meant():
    with np.errstate(all="ignore"):
        yield


def as_float64(x):
    return np.asarray(x).astype(np.float64)


def same(a, b):
    """Equal, the sign of a zero included; all nan are one."""
    return (a == b) & (np.signbit(a) == np.signbit(b)) | np.isnan(a) & np.isnan(b)


def values_of(fmt):
    """All numbers of a short format."""
    dtype = FORMATS[fmt].dtype
    codes = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    return codes.view(dtype)


def hard_points(fmt):
    """All values of a format, the midpoints between them, and what is next to a midpoint."""
    values = as_float64(values_of(fmt))
    values = np.unique(values[np.isfinite(values)])
    step = values[-1] - values[-2]
    values = np.concatenate([[-values[-1] - step], values, [values[-1] + step]])
    middle = (values[1:] + values[:-1]) / 2
    near = [np.nextafter(middle, side) for side in (-np.inf, np.inf)]
    near32 = [np.nextafter(middle.astype(np.float32), np.float32(s)) for s in (-np.inf, np.inf)]
    more = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e-300, 1e300, -1.7e308]
    return np.concatenate([values, middle, *near, *map(as_float64, near32), more])


# The formats


@pytest.mark.parametrize("fmt", ALL)
def test_the_formats_are_those_of_the_book(core, fmt):
    values = core(
        "[f.precision, f.emin, f.emax, f.largest, f.smallestNormal,"
        "f.overflowAbove, f.subnormalBelow, f.zeroBelow]",
        [0.0],
        fmt,
    )
    f = FORMATS[fmt]
    expected = [f.precision, f.min_exponent, f.max_exponent, f.largest, f.smallest_normal]
    np.testing.assert_array_equal(values[:5], expected)
    np.testing.assert_allclose(values[5:], f.exp_range, rtol=1e-14)


@pytest.mark.parametrize("fmt", SHORT)
def test_all_values_and_midpoints_are_rounded_as_the_book_rounds(core, fmt):
    x = hard_points(fmt)
    assert same(core("S.round(x, f)", x, fmt), as_float64(round_to(x, fmt))).all()


@pytest.mark.parametrize("fmt", SHORT)
def test_all_values_and_midpoints_are_rounded_as_numpy_and_ml_dtypes_convert(core, fmt):
    x = hard_points(fmt)
    x = np.unique(x.astype(np.float32))  # from float64, ml_dtypes rounds twice
    expected = as_float64(x.astype(FORMATS[fmt].dtype))
    assert same(core("S.round(x, f)", x, fmt), expected).all()


def test_float32_and_float64_are_rounded_as_numpy_converts(core, rng):
    bits = rng.integers(0, 2**64, 50_000, dtype=np.uint64)
    x = np.concatenate(
        [bits.view(np.float64), rng.normal(size=50_000) * 10.0 ** rng.integers(-46, 39, 50_000)]
    )
    half = np.abs(x[50_000:].astype(np.float32))
    x = np.concatenate(
        [x, (as_float64(half) + as_float64(np.nextafter(half, np.float32(9e38)))) / 2]
    )
    expected = as_float64(x.astype(np.float32))
    assert same(core("S.round(x, f)", x, "fp32"), expected).all()
    assert same(core("S.round(x, f)", x, "fp64"), x).all()


# Operations


@pytest.mark.parametrize("fmt", SHORT)
@pytest.mark.parametrize("name", ["exp", "log"])
def test_exp_and_log_of_every_number_are_correctly_rounded(core, fmt, name):
    x = values_of(fmt)
    computed = core(f"S.ops(f).{name}(x)", as_float64(x), fmt)
    wide = getattr(np, name)(as_float64(x))
    narrow = as_float64(getattr(np, name)(x))
    expected = as_float64(round_to(wide, fmt))
    assert same(computed, expected).all()
    if name == "exp":
        assert same(computed, as_float64(reference.exp_exact(x))).all()
    # NumPy and ml_dtypes take another route. On some processors, NumPy misses a few results
    # that nearly are ties; there is no other difference.
    missed = ~same(computed, narrow)
    from_tie = np.abs(wide[missed] - (computed[missed] + narrow[missed]) / 2)
    assert missed.sum() <= 8
    assert (from_tie <= 1e-3 * book.ulp(wide[missed], fmt)).all()


@pytest.mark.parametrize("fmt", ["fp32", *SHORT])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_the_four_operations_are_those_of_the_format(core, rng, fmt, name):
    dtype = FORMATS[fmt].dtype
    x = round_to(rng.normal(size=(3000, 2)) * 2.0 ** rng.integers(-9, 9, (3000, 2)), fmt)
    operation = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[name]
    expected = operation(x[:, 0], x[:, 1])
    assert expected.dtype == dtype
    computed = core(f"S.ops(f).{name}(...x)", as_float64(x), fmt).ravel()
    assert same(computed, as_float64(expected)).all()


@pytest.mark.parametrize("fmt", ALL)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_a_short_row_is_added_as_numpy_adds_it(core, rng, fmt, n):
    x = round_to(rng.uniform(0, 3, (500, n)), fmt)
    expected = as_float64([np.sum(row) for row in x])
    assert same(core("S.ops(f).sum(x)", as_float64(x), fmt).ravel(), expected).all()


# Formulas

FUNCTIONS = {
    "softmaxNaive": book.softmax_naive,
    "softmaxShifted": book.softmax_shifted,
    "logsumexpNaive": book.logsumexp_naive,
    "logsumexpShifted": book.logsumexp_shifted,
    "logsumexpLog1p": book.logsumexp_log1p,
    "logSoftmaxNaive": book.log_softmax_naive,
    "logSoftmaxTwoStep": book.log_softmax_two_step,
    "logSoftmaxEpsilon": book.log_softmax_epsilon,
    "logSoftmaxClamped": book.log_softmax_clamped,
    "logSoftmaxFromLogsumexp": book.log_softmax_from_logsumexp,
    "logSoftmaxShifted": book.log_softmax_shifted,
    "logSoftmaxLog1p": book.log_softmax_log1p,
}


def rows(rng, fmt, n):
    """Rows of all kinds: small, large, beside an offset, with ties, beyond the range of exp."""
    f = FORMATS[fmt]
    wide = rng.uniform(1.2 * f.exp_range[2], 1.2 * f.exp_range[0], (150, n))
    near = rng.normal(size=(150, n))
    offset = near + rng.uniform(-40, 40, (150, 1))
    return round_to(np.concatenate([wide, near, offset, np.round(near)]), fmt)


@pytest.mark.parametrize("fmt", SHORT)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_formulas_give_the_bits_of_the_package(core, rng, fmt, name):
    for n in [2, 3, 5]:
        x = rows(rng, fmt, n)
        expected = as_float64(FUNCTIONS[name](x)).reshape(len(x), -1)
        computed = core(f"S.{name}(x, f)", as_float64(x), fmt)
        wrong = ~same(computed, expected).all(axis=1)
        assert not wrong.any(), (as_float64(x)[wrong], computed[wrong], expected[wrong])


@pytest.mark.parametrize("fmt", ["fp64", "fp32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_long_formats_only_the_last_digits_may_differ(core, rng, fmt, name):
    """There, NumPy's own exp and log depend on the processor, by a few ulp."""
    x = rows(rng, fmt, 3)
    expected = as_float64(FUNCTIONS[name](x)).reshape(len(x), -1)
    computed = core(f"S.{name}(x, f)", as_float64(x), fmt)
    u = FORMATS[fmt].unit_roundoff
    scale = 1 if "softmax" in name else np.abs(as_float64(x)).max(axis=1, keepdims=True)
    np.testing.assert_allclose(computed / scale, expected / scale, rtol=40 * u, atol=4 * u)


@pytest.mark.parametrize("fmt", SHORT)
def test_the_loss_and_its_gradient_are_those_of_the_package(core, rng, fmt):
    x = rows(rng, fmt, 3)
    labels = np.ones(len(x), dtype=int)
    loss = as_float64(book.cross_entropy_shifted(x, labels))
    gradient = as_float64(book.cross_entropy_gradient_shifted(x, labels))
    computed = core("S.crossEntropy(S.logSoftmaxShifted, x, 1, f)", as_float64(x), fmt).ravel()
    assert same(computed, loss).all()
    assert same(core("S.crossEntropyGradient(x, 1, f)", as_float64(x), fmt), gradient).all()


# Exact values


@pytest.mark.parametrize("fmt", SHORT)
def test_exact_values_are_rounded_to_even_as_numbers_are(core, fmt):
    x = hard_points(fmt)
    x = x[np.isfinite(x) & (np.abs(x) < 1e39)]
    # every number of fp64 is an integer times a power of two
    body = """(() => { const k = Math.max(Math.floor(Math.log2(Math.abs(x) || 1)) - 54, -1074);
        return S.nearest({ n: BigInt(x / 2 ** k), k }, f); })()"""
    expected = as_float64(round_to(x, fmt))
    np.testing.assert_array_equal(core(body, x, fmt), expected)


HARD = [
    [0.0, -40.0, -40.0],
    [40.0, 0.0, 0.0],
    [0.0, -700.0, -745.0],
    [1e8, 1e8, 1e8 - 1],
    [-math.log(3), -math.log(3), -math.log(3)],
    [0.1, 0.2, 0.30000000000000004],
    [-1e-300, 1e-300, 0.0],
    [1000.0, 1000.0, 100.0],
]
EXACT = {
    "p": book.softmax_exact,
    "logp": reference.log_softmax_exact,
    "lse": reference.logsumexp_exact,
}


@pytest.mark.parametrize("fmt", ALL)
@pytest.mark.parametrize("name", EXACT)
def test_exact_values_are_those_of_the_reference(core, rng, fmt, name):
    x = np.concatenate([HARD, rng.normal(size=(40, 3)) * [1, 10, 100]])
    expected = as_float64(EXACT[name](x, dtype=FORMATS[fmt])).reshape(len(x), -1)
    computed = core(f"[S.exact(x).{name}].flat().map((v) => S.nearest(v, f))", x, fmt)
    np.testing.assert_array_equal(computed, expected)


def test_the_exact_complement_keeps_its_digits(core, rng):
    x = np.concatenate([HARD, rng.normal(size=(40, 3)) * 30])
    computed = core("S.exact(x).complement.map((v) => S.nearest(v))", x)
    for label in range(3):
        labels = np.full(len(x), label)
        gradient = reference.cross_entropy_gradient_exact(x, labels)
        np.testing.assert_array_equal(computed[:, label], -gradient[:, label])


@pytest.mark.parametrize("gap", [0.5, 40, 700, 1000, 20_000])
def test_exact_values_are_written_with_all_their_digits_beyond_the_range_of_fp64(core, gap):
    with localcontext() as context:
        context.prec, context.Emin = 60, -99_999
        e = Decimal(-gap).exp()
        expected = [1 / (1 + e), e / (1 + e), (1 + e).ln(), -Decimal(gap) - (1 + e).ln()]
        texts = core.page.evaluate(
            """(gap) => { const S = StableSoftmax, { p, lse, logp } = S.exact([0, -gap]);
                return [p[0], p[1], lse, logp[1]].map((v) => S.showExact(v, 20)); }""",
            gap,
        )
        for text, value in zip(texts, expected, strict=True):
            if value < Decimal("1e-60") and value == (1 + e).ln():
                value = e  # the Decimal of 60 digits has lost it
            written = Decimal(text.replace(MINUS, "-"))
            half_a_digit = Decimal(5).scaleb(value.adjusted() - 20)
            assert abs(written - value) <= half_a_digit * Decimal("1.0001"), (text, value)


@pytest.mark.parametrize("fmt", ALL)
def test_errors_in_ulp_are_those_of_the_package(core, rng, fmt):
    x = round_to(rng.normal(size=(200, 3)), fmt)
    p = book.softmax_shifted(x)
    rounded, rest = exact_parts(x, np.zeros(len(x), dtype=int))["softmax"]
    expected = book.ulp_error(p, rounded, remainder=rest)
    both = np.concatenate([as_float64(x), as_float64(p)], axis=1)
    computed = core("S.exact(x.slice(0, 3)).p.map((v, i) => S.ulpError(x[3 + i], v, f))", both, fmt)
    clear = np.frexp(rounded)[0] != 0.5  # at a power of two, the ulp of the exact value may be half
    np.testing.assert_allclose(computed[clear], expected[clear], atol=1e-6)


# Text and size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"), ("-0", "0"), ("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf"),
        ("1", "1"), ("-0.1", "-0.1"), ("12345.678", "12346"), ("123456", "1.2346e5"),
        ("1e8", "1e8"), ("1.4e-45", "1.4e-45"), ("-0.00012345678", "-0.00012346"),
        ("99999.6", "1e5"), ("0.000012345678", "1.2346e-5"),
    ],
)  # fmt: skip
def test_numbers_are_written_short_and_with_a_true_minus(core, number, text):
    assert core.page.evaluate(f"StableSoftmax.show({number})") == text.replace("-", MINUS)


def test_all_explorables_together_stay_under_50_kilobytes():
    """A page loads at most 16.5 of them. They were 36 while four of the figures had no picture."""
    files = list(ASSETS.glob("explore*"))
    assert len(files) >= 10
    assert sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in files) < 50_000
