import numpy as np
import pytest

from stable_softmax import (
    FP32,
    cross_entropy_gradient_complement,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_shifted,
    log_softmax_log1p,
    log_softmax_shifted,
    logsumexp_log1p,
    logsumexp_shifted,
    softmax_shifted,
)
from stable_softmax.libraries.adapters import available_frameworks, is_installed
from stable_softmax.libraries.fresh_process import in_fresh_process
from stable_softmax.libraries.truth_table import CASES, answers_to, truth_table
from tests.cases import NAN

needs_mxnet = pytest.mark.skipif(not is_installed("mxnet"), reason="MXNet is not installed")
TORCH = is_installed("torch")
needs_torch = pytest.mark.skipif(not TORCH, reason="PyTorch is not installed")


def test_every_question_has_our_answer():
    for question, cases in CASES.items():
        by_autograd = question.startswith(("gradient of ", "its gradient"))
        if TORCH or not by_autograd:
            for arguments in cases.values():
                assert "ours" in answers_to(question, arguments), question


OURS = {  # what the docstrings promise
    ("softmax", "[0, -1e+09]"): "[1, 0]",
    ("softmax", "[-3.4e+38, -3.4e+38]"): "[0.5, 0.5]",
    ("softmax", "[0, -inf]"): "[1, 0]",
    ("softmax", "[-inf, -inf]"): "[nan, nan]",
    ("softmax", "[0, inf]"): "[nan, nan]",
    ("softmax", "[0, nan]"): "[nan, nan]",
    ("softmax", "[]"): "ValueError",
    ("log-softmax", "[0, -inf]"): "[0, -inf]",
    ("log-softmax", "[3.4e+38, -3.4e+38]"): "[0, -inf]",
    ("log-sum-exp", "[-inf, -inf]"): "-inf",
    ("log-sum-exp", "[0, inf]"): "inf",
    ("masked softmax", "[0, nan], keep the first"): "[1, 0]",
    ("masked softmax", "[0, 1], keep none"): "[0, 0]",
    ("log-sum-exp", "[inf, -inf]"): "inf",
    ("binary loss", "[-inf], label 0"): "0",
    ("binary loss", "[-inf], label 1"): "inf",
    ("binary loss", "[inf], label 0"): "inf",
    ("binary loss", "[inf], label 1"): "0",
    ("loss", "[0, -inf], label 1"): "inf",
    ("loss", "[0, 1], label 2"): "ValueError",
    ("gradient", "[0, -inf], label 1"): "[1, -1]",
    ("soft loss", "[0, -inf], targets [1, 0]"): "0",
    ("mean loss", "every row is ignored"): "0",
    ("mean loss", "the ignored row is nan"): "1.313",
}


@pytest.mark.parametrize(("question", "case"), OURS)
def test_our_answers(question, case):
    assert answers_to(question, CASES[question][case])["ours"] == OURS[question, case]


@pytest.mark.parametrize(
    ("question", "others"),
    [
        ("softmax", [softmax_shifted]),
        ("log-softmax", [log_softmax_shifted, log_softmax_log1p]),
        ("log-sum-exp", [logsumexp_shifted, logsumexp_log1p]),
        ("loss", [cross_entropy_shifted, cross_entropy_log1p]),
        ("gradient", [cross_entropy_gradient_shifted, cross_entropy_gradient_complement]),
    ],
)
def test_the_shifted_and_the_log1p_forms_give_the_same_answers(question, others):
    for arguments in CASES[question].values():
        x, *rest = (np.asarray(a) for a in arguments)
        answers = []
        for function in others:
            with np.errstate(all="ignore"):
                try:
                    answers.append(function(x.astype(np.float32), *rest))
                except ValueError:
                    answers.append(NAN)
        for answer in answers:
            np.testing.assert_allclose(answer, answers[0], atol=FP32.unit_roundoff)


@needs_torch
def test_the_answers_of_pytorch_that_the_chapter_discusses():
    def answer(question, case):
        return answers_to(question, CASES[question][case])["PyTorch"]

    assert answer("softmax", "[-inf, -inf]") == "[nan, nan]"
    assert answer("masked softmax", "[0, nan], keep the first") == "[nan, nan]"
    assert answer("log-sum-exp", "[]") == "-inf"
    assert answer("gradient of log-sum-exp", "[-inf, -inf]") == "[nan, nan]"
    assert answer("attention layer", "[0, 1], keep none") == "[0, 0]"
    assert answer("the same layer, asked for its weights", "[0, 1], keep none") == "[nan, nan]"
    assert answer("loss", "[0, 1], label 2") == "IndexError"
    assert answer("soft loss", "[0, -inf], targets [1, 0]") == "nan"
    assert answer("mean loss", "every row is ignored") == "nan"
    assert answer("mean loss", "the ignored row is nan") == "1.313"
    assert answer("its gradient, last row", "the ignored row is nan") == "[nan, nan]"


BINARY = {  # the limits of loss and gradient, and the gradient that autograd finds in our loss
    "[-inf], label 0": ("0", "[0]", "[0]"),
    "[-inf], label 1": ("inf", "[-1]", "[nan]"),
    "[inf], label 0": ("inf", "[1]", "[nan]"),
    "[inf], label 1": ("0", "[0]", "[0]"),
}


@needs_torch
@pytest.mark.parametrize("case", BINARY)
def test_the_binary_loss_of_an_infinite_logit_and_its_gradient(case):
    loss, gradient, by_autograd = BINARY[case]
    losses = answers_to("binary loss", CASES["binary loss"][case])
    gradients = answers_to("gradient of the binary loss", CASES["binary loss"][case])
    assert (losses["ours"], gradients["ours"]) == (loss, by_autograd)
    assert losses["PyTorch"] == ("inf" if case == "[inf], label 0" else "nan")
    assert gradients["PyTorch"] == gradient
    if "MXNet" in losses:
        assert losses["MXNet"] == ("inf" if case == "[-inf], label 1" else "nan")
        assert gradients["MXNet"] == gradient


@needs_torch
@pytest.mark.parametrize("case", BINARY)
def test_the_limit_of_the_binary_loss_is_what_it_tends_to(case):
    (z,), y = CASES["binary loss"][case]
    loss, gradient, _ = BINARY[case]
    for size in (1e3, 1e4, 1e5):  # beyond the place where exp(-|z|) is 0 in float32
        near = ([np.copysign(size, z)], y)
        for library in ("ours", "PyTorch"):
            want = f"{size:.6g}" if loss == "inf" else "0"
            assert answers_to("binary loss", near)[library] == want
            assert answers_to("gradient of the binary loss", near)[library] == gradient


@needs_torch
def test_an_attention_layer_returns_the_probabilities_of_its_logits():
    case = CASES["attention layer"]["[0, 1], keep the first"]
    for question in ("attention layer", "the same layer, asked for its weights"):
        assert answers_to(question, case)["PyTorch"] == "[1, 0]"
        assert answers_to(question, (case[0], [True, True]))["PyTorch"] == "[0.269, 0.731]"


@needs_torch
def test_the_attention_of_pytorch_gives_zeros_where_no_class_is_left():
    import torch

    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 5):
        pytest.skip("nan before PyTorch 2.5")
    answers = answers_to("masked softmax", CASES["masked softmax"]["[0, 1], keep none"])
    assert answers["PyTorch"] == "[0, 0]"


@needs_mxnet
def test_the_answers_of_mxnet_that_hold_on_every_cpu():
    def answer(question, case):
        return answers_to(question, CASES[question][case])["MXNet"]

    assert answer("softmax", "[]") == "MXNetError"
    assert answer("masked softmax", "[0, 1], keep none") == "[0, 0]"
    assert answer("loss", "[0, 1], label 2") == "0.313"  # clipped to the last class
    assert answer("mean loss", "every row is ignored") == "1.313"  # -100 is clipped to class 0
    assert answer("soft loss", "[0, -inf], targets [1, 0]") == "nan"


def answers_of_mxnet_to_nan():
    questions = ("softmax", "log-softmax", "loss", "gradient")
    asked = [(q, x) for q in questions for name, x in CASES[q].items() if "nan" in name]
    return [answers_to(question, x)["MXNet"] for question, x in asked]


@needs_mxnet
def test_without_onednn_mxnet_keeps_the_nan():
    answers, _ = in_fresh_process(answers_of_mxnet_to_nan, MXNET_MKLDNN_ENABLED="0")
    assert answers == ["[nan, nan]", "[nan, nan]", "nan", "[nan, nan]"]


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        ("[0, -1e+04]", "[1, 0]"),
        ("[0, -1e+09]", "[1, 0]"),
        ("[0, -3.4e+38]", "[1, 0]"),
        ("[0, -inf]", "[1, 0]"),
        ("[-3.4e+38, -3.4e+38]", "[0.5, 0.5]"),
        ("[-inf, -inf]", "[nan, nan]"),
    ],
)
def test_everybody_agrees_on_masked_logits(case, answer):
    assert set(answers_to("softmax", CASES["softmax"][case]).values()) == {answer}


def test_who_agrees_shares_a_row_and_what_repeats_is_blank(monkeypatch):
    first, second = CASES["mean loss"]
    answers = [{"ours": "1", "SciPy": "2", "MXNet": "1"}, {"ours": "1", "SciPy": "1"}]
    monkeypatch.setattr(
        "stable_softmax.libraries.truth_table.answers_to", lambda *_: answers.pop(0)
    )
    assert truth_table("mean loss") == [
        ["mean loss", first, "1", "ours, MXNet"],
        ["", "", "2", "SciPy"],
        ["", second, "1", "all"],
    ]


def test_the_table_has_a_row_for_each_question_and_input():
    rows = truth_table("softmax", "log-sum-exp")
    assert rows[0][:3] == ["softmax", "[0, -1e+04]", "[1, 0]"]
    assert all(len(row) == 4 and row[2] and row[3] for row in rows)
    assert [row[0] for row in rows if row[0]] == ["softmax", "log-sum-exp"]
    named = [row[1] for row in rows if row[1]]
    assert named == [*CASES["softmax"], *CASES["log-sum-exp"]]
    assert rows[0][3] == ("all" if available_frameworks() else "ours")


def test_the_table_leaves_out_libraries_that_are_not_installed(monkeypatch):
    monkeypatch.setattr("stable_softmax.libraries.truth_table.available_frameworks", dict)
    monkeypatch.setattr("stable_softmax.libraries.truth_table.is_installed", lambda module: False)
    assert {row[3] for row in truth_table(*CASES)} == {"ours"}


@pytest.mark.parametrize("ask", [truth_table, lambda question: answers_to(question, ([0, 1],))])
def test_an_unknown_question_is_refused(ask):
    with pytest.raises(
        ValueError, match="there is no question 'soft-max'; the questions are: soft"
    ):
        ask("soft-max")
