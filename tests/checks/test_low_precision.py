"""The exercise checks of the chapter low_precision: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax.checks import check_loss_scale, check_stored_logits, check_wide_dot


def starter_dot(h, w):
    return np.float32(np.cumsum(h * w)[-1])


def starter_stored_logits(x, dtype):
    return x.astype(dtype)


def starter_loss_scale(gradient):
    return 2.0**16


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


def test_a_dot_product_in_float32_passes_in_any_form():
    single = np.float32
    assert check_wide_dot(lambda h, w: np.sum(h.astype(single) * w.astype(single)))
    assert check_wide_dot(lambda h, w: h.astype(single) @ w.astype(single))
    assert check_wide_dot(lambda h, w: np.cumsum(h.astype(single) * w.astype(single))[-1])


def test_a_dot_product_in_float64_must_be_rounded_to_float32():
    assert check_wide_dot(lambda h, w: np.float32(np.sum(h.astype(float) * w.astype(float))))
    report = check_wide_dot(lambda h, w: np.sum(h.astype(float) * w.astype(float)))
    assert report.reasons["10,000 ones"] == "float32 was asked for, this is float64"


def test_the_starter_of_the_dot_product_stops():
    report = check_wide_dot(starter_dot)
    assert not report
    assert report.reasons["10,000 ones"].startswith("got 256, expected 10000")
    assert report.reasons["10,000 ones in float16"].startswith("got 2048, expected 10000")
    assert "overflow" in report.reasons["products above 65504 in float16"]
    assert report.reasons["three whole numbers"] is None


def test_converted_products_fail_where_the_product_was_rounded():
    report = check_wide_dot(lambda h, w: np.sum((h * w).astype(np.float32)))
    assert report.reasons["10,000 ones"] is None
    assert report.reasons["a product of 15 bits (181 times 179)"].startswith(
        "got 32384, expected 32399"
    )
    assert report.reasons["random numbers (bfloat16)"]


def test_a_float32_sum_that_is_rounded_to_the_short_format_fails():
    report = check_wide_dot(
        lambda h, w: np.float32(np.sum(h.astype(np.float32) * w.astype(np.float32)).astype(h.dtype))
    )
    assert report.reasons["257 ones: not a bfloat16 number"].startswith("got 256, expected 257")


def test_products_that_are_not_added_up_and_nothing_at_all_fail():
    report = check_wide_dot(lambda h, w: h.astype(np.float32) * w.astype(np.float32))
    assert "expected one number" in report.reasons["three whole numbers"]
    assert len(failed(check_wide_dot(lambda h, w: None))) == 7


def test_logits_shifted_in_float32_pass():
    assert check_stored_logits(lambda x, d: (x - np.max(x, axis=-1, keepdims=True)).astype(d))


def test_the_starter_of_the_stored_logits_loses_large_logits():
    report = check_stored_logits(starter_stored_logits)
    assert not report
    assert report.reasons["small logits"] is None
    assert "a relative error of 0.32" in report.reasons["around 100"]
    assert "overflow" in report.reasons["around 100,000 (float16)"]


def test_a_shift_after_the_rounding_comes_too_late():
    def late(x, dtype):
        stored = x.astype(dtype)
        return stored - np.max(stored, axis=-1, keepdims=True)

    assert "a relative error of" in check_stored_logits(late).reasons["around 100"]


def test_a_shift_by_the_maximum_of_the_batch_or_by_the_mean_fails():
    report = check_stored_logits(lambda x, d: (x - np.max(x)).astype(d))
    assert failed(report) == {"two rows of different size"}
    report = check_stored_logits(lambda x, d: (x - np.mean(x, axis=-1, keepdims=True)).astype(d))
    assert failed(report) == {"one class far behind"}


def test_stored_logits_of_another_type_or_shape_fail():
    report = check_stored_logits(lambda x, d: x - np.max(x, axis=-1, keepdims=True))
    assert report.reasons["small logits"] == "bfloat16 was asked for, this is float32"
    report = check_stored_logits(lambda x, d: np.max(x, axis=-1).astype(d))
    assert report.reasons["small logits"] == "shape (1,) instead of (1, 3)"


def test_two_ways_to_the_loss_scale_pass():
    def by_frexp(gradient):
        size = np.max(np.abs(gradient))
        return np.ldexp(1.0, np.frexp(65504 / size)[1] - 1) if size > 0 else 1.0

    def by_trying(gradient):
        scale, size = 1.0, np.max(np.abs(gradient))
        while size > 0 and 2 * scale * size <= 65504:
            scale *= 2
        while scale * size > 65504:
            scale /= 2
        return scale

    assert check_loss_scale(by_frexp)
    assert check_loss_scale(by_trying)


def test_the_starter_of_the_loss_scale_is_right_by_chance_only():
    report = check_loss_scale(starter_loss_scale)
    assert len(failed(report)) == 7
    assert report.reasons["large entries: a scale below 1"] == "got 65536, expected 0.125"


def test_a_scale_that_forgets_the_sign_or_the_power_of_two_or_rounds_up_fails():
    def forgets_sign(gradient):
        size = np.max(gradient)
        return 2.0 ** np.floor(np.log2(65504 / size)) if size > 0 else 1.0

    def forgets_power(gradient):
        size = np.max(np.abs(gradient))
        return 65504 / size if size else 1.0

    def rounds_up(gradient):
        size = np.max(np.abs(gradient))
        return 2.0 ** np.ceil(np.log2(65504 / size)) if size else 1.0

    assert "the largest entry is negative" in failed(check_loss_scale(forgets_sign))
    assert "entries near 1" in failed(check_loss_scale(forgets_power))
    assert "entries near 1" in failed(check_loss_scale(rounds_up))
    assert failed(check_loss_scale(lambda gradient: "large"))


def _wide(h, w):
    return np.sum(h.astype(np.float32) * w.astype(np.float32))


def _early(x, dtype):
    return (x - np.max(x, axis=-1, keepdims=True)).astype(dtype)


def _late(x, dtype):
    stored = x.astype(dtype)
    return stored - np.max(stored, axis=-1, keepdims=True)


def _power(size, rounding, largest=65504):
    return 2.0 ** rounding(np.log2(largest / size)) if size > 0 else 1.0


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_wide_dot,
            lambda h, w: np.sum((h * w).astype(np.float32)),
            "Hint: the products are rounded before they are converted: convert h and w first",
        ),
        (
            check_wide_dot,
            lambda h, w: np.float32(_wide(h, w).astype(h.dtype)),
            "Hint: the sum is rounded to the short format: leave it in float32",
        ),
        (
            check_wide_dot,
            lambda h, w: h.astype(float) @ w.astype(float),
            "float32 was asked for, this is float64",
        ),
        (
            check_stored_logits,
            _late,
            "Hint: the shift comes after the rounding, when the digits are lost",
        ),
        (
            check_stored_logits,
            lambda x, d: (x - np.mean(x, axis=-1, keepdims=True)).astype(d),
            "Hint: a class far behind takes the mean with it: subtract the maximum of the row",
        ),
        (
            check_stored_logits,
            lambda x, d: (x - np.max(x)).astype(d),
            "Hint: one maximum is subtracted from all rows; each needs its own",
        ),
        (
            check_stored_logits,
            lambda x, d: x - np.max(x, axis=-1, keepdims=True),
            "bfloat16 was asked for, this is float32",
        ),
        (
            check_loss_scale,
            lambda g: _power(np.max(g), np.floor),
            "Hint: the size decides: take the maximum of the absolute values",
        ),
        (
            check_loss_scale,
            lambda g: 65504 / np.max(np.abs(g)) if np.any(g) else 1.0,
            "Hint: this is not a power of two: round its logarithm down",
        ),
        (
            check_loss_scale,
            lambda g: _power(np.max(np.abs(g)), np.ceil),
            "Hint: the logarithm is rounded up: the largest entry overflows",
        ),
        (
            check_loss_scale,
            lambda g: _power(np.max(np.abs(g)), np.floor, 65536),
            "Hint: 65536 is above 65504, the largest number of float16",
        ),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


@pytest.mark.parametrize(
    ("check", "answer", "case"),
    [
        (
            check_wide_dot,
            lambda h, w: _wide(h, w) if h.size != 5 else np.float32(0),
            "a drawn case",
        ),
        (
            check_stored_logits,
            lambda x, d: _early(x, d) if x.shape != (2, 4) else x.astype(d),
            "a drawn case",
        ),
        (
            check_loss_scale,
            lambda g: _power(np.max(np.abs(g)), np.floor) if g.size != 5 else 0.0,
            "a drawn case",
        ),
        (check_stored_logits, lambda x, d: (x - x[..., :1]).astype(d), "one class far behind"),
        (check_stored_logits, lambda x, d: (x - x[..., -1:]).astype(d), "one class far behind"),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_wide_dot, lambda h, w: np.array(_wide(h, w))),
        (check_loss_scale, lambda g: float(_power(np.max(np.abs(g)), np.floor))),
        (check_loss_scale, lambda g: np.float32(_power(np.max(np.abs(g)), np.floor))),
        (check_loss_scale, lambda g: np.array(_power(np.max(np.abs(g)), np.floor))),
        (check_loss_scale, lambda g: 1 if not np.any(g) else _power(np.max(np.abs(g)), np.floor)),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
