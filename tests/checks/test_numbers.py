"""The checks of chapter numbers accept right answers and name what is wrong with others."""

import math

import numpy as np
import pytest

from stable_softmax import FP16, round_to, ulp
from stable_softmax.checks import check_error_measures, check_rounding, check_spacing


def spacing(x, p, e_min):
    e = math.frexp(x)[1] - 1 if x else e_min
    return 2.0 ** (max(e, e_min) - p + 1)


def spacing_starter(x, p, e_min):
    return 2.0**-p * abs(x)


def spacing_from_logarithm(x, p, e_min):
    e = math.floor(math.log2(abs(x))) if x else e_min
    return 2.0 ** (max(e, e_min) - p + 1)


def rounding_starter(x, p):
    e = np.floor(np.log2(abs(x)))
    unit = 2.0 ** (e - p + 1)
    return unit * np.floor(x / unit + 0.5)


def rounded(to_whole):
    def my_rounding(x, p):
        unit = 2.0 ** (math.frexp(x)[1] - p)
        return unit * to_whole(x / unit)

    return my_rounding


def measures_starter(computed, exact, p):
    u = 2.0**-p
    error = abs(computed - exact)
    return error, error / exact, error / u, error / (2 * u)


def measures(computed, exact, p):
    error = abs(computed - exact)
    relative = error / abs(exact)
    return error, relative, relative * 2.0**p, error / spacing(exact, p, -2000)


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_spacing, spacing),
        (check_spacing, lambda x, p, e_min: np.ldexp(spacing(x, 1, e_min), 1 - p)),
        (
            check_spacing,
            lambda x, p, e_min: (
                max(spacing(x, p, -2000), 2.0 ** (e_min - p + 1)) if x else 2.0 ** (e_min - p + 1)
            ),
        ),
        (check_rounding, rounded(round)),
        (check_rounding, rounded(np.rint)),
        (
            check_rounding,
            lambda x, p: (
                2.0 ** (np.floor(np.log2(abs(x))) - p + 1)
                * np.rint(x / 2.0 ** (np.floor(np.log2(abs(x))) - p + 1))
            ),
        ),
        (check_error_measures, measures),
        (check_error_measures, lambda computed, exact, p: np.array(measures(computed, exact, p))),
        (check_error_measures, lambda computed, exact, p: list(measures(computed, exact, p))),
    ],
)
def test_a_right_answer_passes_in_any_form(check, answer):
    for _ in range(10):  # with other drawn cases each time
        assert check(answer)


def test_the_functions_of_the_book_pass():
    formats = {(11, -14): "fp16", (24, -126): "fp32", (53, -1022): "fp64", (8, -126): "bf16"}
    formats |= {(4, -6): "e4m3", (3, -14): "e5m2"}
    assert check_spacing(lambda x, p, e_min: ulp(x, formats[p, e_min]))
    assert float(round_to(2049, FP16)) == rounded(round)(2049, 11)


def test_the_starters_fail_where_their_exercise_says():
    assert len(failed(check_spacing(spacing_starter))) == 9
    report = check_rounding(rounding_starter)
    assert failed(report) == {
        "17, a tie: down to 16",
        "-19, a negative tie",
        "16,777,217, to 24 bits",
        "a tie just above 1, to 8 bits",
    }
    assert report.reasons["17, a tie: down to 16"] == "got 18, expected 16"
    report = check_error_measures(measures_starter)
    assert report.reasons["exactly 1"] is None
    assert (
        "the error in ulp: got 974848, expected 476"
        in (report.reasons["a large number, too small"])
    )
    assert "the relative error: got -0.015625" in report.reasons["a negative number"]


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_spacing,
            lambda x, p, e_min: spacing(x, p, e_min) / 2,
            "Hint: this is the largest error of one rounding there, half of the spacing",
        ),
        (
            check_spacing,
            lambda x, p, e_min: 2.0 ** (math.frexp(x)[1] - p),
            "Hint: the exponent of a subnormal number, and of zero, is the smallest one",
        ),
        (
            check_spacing,
            lambda x, p, e_min: 2.0 ** (max(math.frexp(x)[1], e_min) - p + 1),
            "Hint: frexp has a fraction below 1: its exponent is larger by 1 than ours",
        ),
        (
            check_spacing,
            spacing_from_logarithm,
            "Hint: the logarithm of the number below 1024 is rounded to 10",
        ),
        (
            check_spacing,
            lambda x, p, e_min: 2.0 ** (1 - p) * abs(x),
            "Hint: a spacing is a power of two",
        ),
        (
            check_spacing,
            lambda x, p, e_min: 2.0 ** (math.floor(math.log2(x)) - p + 1),
            "raised ValueError: math domain error",
        ),
        (check_rounding, rounding_starter, "FAIL 17, a tie: down to 16 got 18, expected 16"),
        (check_rounding, rounded(math.floor), "Hint: this rounds down"),
        (check_rounding, rounded(int), "Hint: this cuts digits off"),
        (
            check_rounding,
            rounded(lambda v: math.copysign(math.floor(abs(v) + 0.5), v)),
            "here all ties go away from zero",
        ),
        (
            check_rounding,
            lambda x, p: rounded(round)(x, p - 1),
            "Hint: this has one bit too few: the leading 1 is one of the p bits",
        ),
        (
            check_rounding,
            lambda x, p: rounded(round)(x, p + 1),
            "Hint: this has one bit too many: the leading 1 is one of the p bits",
        ),
        (
            check_error_measures,
            lambda computed, exact, p: (
                abs(computed - exact),
                abs(computed - exact) / exact,
                abs(computed - exact) / exact * 2**p,
                abs(computed - exact) / spacing(exact, p, -2000),
            ),
            "Hint: a measure of an error has no sign",
        ),
        (
            check_error_measures,
            lambda computed, exact, p: (
                abs(computed - exact),
                abs(computed - exact) / abs(computed),
                abs(computed - exact) / abs(computed) * 2**p,
                abs(computed - exact) / spacing(exact, p, -2000),
            ),
            "Hint: the relative error is relative to the exact value, not to the computed one",
        ),
        (
            check_error_measures,
            lambda computed, exact, p: (
                *measures(computed, exact, p)[:2],
                measures(computed, exact, p)[2] / 2,
                measures(computed, exact, p)[3],
            ),
            "Hint: the unit roundoff is half of the distance from 1 to the next number, 2**-p",
        ),
        (
            check_error_measures,
            lambda computed, exact, p: (
                *measures(computed, exact, p)[:3],
                measures(computed, exact, p)[2] / 2,
            ),
            "Hint: an ulp is a power of two",
        ),
        (
            check_error_measures,
            lambda computed, exact, p: measures(computed, exact, p)[:3],
            "return 4 results, the absolute error, the relative error, the error in u and the "
            "error in ulp; got 3",
        ),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


#: Sizes of the numbers that ``check_rounding`` asks for whatever is drawn.
KNOWN = (22.9, 17, 19, 31, 0.1, 2**24 + 1, 1 + 2**-8, 20, 1e-30)


@pytest.mark.parametrize(
    ("check", "answer", "case"),
    [
        (check_spacing, lambda x, p, e_min: np.float16(spacing(x, p, e_min)), "at 1 (float32)"),
        (
            check_spacing,
            lambda x, p, e_min: (
                spacing(x, p, e_min)
                if x in (1, 20, -20, 1.9999, 0, 1e-6, 2**24, 2**-14) or p == 53
                else 1.0
            ),
            "a drawn case",
        ),
        (
            check_rounding,
            lambda x, p: rounded(round)(x, p) if abs(x) in KNOWN else x,
            "a drawn case",
        ),
        (
            check_error_measures,
            lambda computed, exact, p: measures(computed, abs(exact), p),
            "a negative number",
        ),
    ],
)
def test_a_wrong_answer_is_refused(check, answer, case):
    found = [failed(check(answer)) for _ in range(8)]  # drawn cases may spare an answer once
    assert any(case in names for names in found)
