"""Tested implementations behind the book *Stable Softmax*."""

from . import pitfalls
from .cross_entropy import (
    cross_entropy_clamped,
    cross_entropy_epsilon,
    cross_entropy_from_logsumexp,
    cross_entropy_gradient_complement,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_naive,
    cross_entropy_shifted,
    cross_entropy_two_step,
    hessian_vector_product,
)
from .floating_point import (
    BF16,
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP32,
    FP64,
    TF32,
    format_of,
    round_to,
    ulp,
)
from .ladder.double_double import (
    cross_entropy_double_double,
    cross_entropy_gradient_double_double,
    log_softmax_double_double,
    logsumexp_double_double,
    softmax_double_double,
)
from .ladder.twosum import (
    cross_entropy_gradient_twosum,
    cross_entropy_twosum,
    log_softmax_twosum,
    logsumexp_twosum,
    softmax_twosum,
)
from .ladder.wider import (
    cross_entropy_gradient_wider,
    cross_entropy_wider,
    log_softmax_wider,
    logsumexp_wider,
    softmax_wider,
)
from .log_softmax import (
    log_softmax_clamped,
    log_softmax_epsilon,
    log_softmax_from_logsumexp,
    log_softmax_jacobian,
    log_softmax_log1p,
    log_softmax_naive,
    log_softmax_shifted,
    log_softmax_two_step,
)
from .logsumexp import log1mexp, logsumexp_log1p, logsumexp_naive, logsumexp_shifted
from .measure.error import (
    absolute_error,
    accurate_digits,
    central_difference,
    logsumexp_bound_naive,
    logsumexp_bound_shifted,
    relative_error,
    softmax_bound_division_free,
    softmax_bound_naive,
    softmax_bound_shifted,
    ulp_error,
)
from .measure.exact import (
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    entropy_exact,
    exp_exact,
    hessian_vector_product_exact,
    kl_divergence_exact,
    log1mexp_exact,
    log_softmax_exact,
    logsumexp_exact,
    softmax_exact,
)
from .scale.one_pass import logsumexp_in_blocks, softmax_in_blocks
from .softmax import softmax_from_logsumexp, softmax_naive, softmax_shifted
