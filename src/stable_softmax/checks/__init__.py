"""Checks of the exercises: one module per chapter, one function per exercise.

Each check takes the answer, a function, prints a table with a line per case, ``ok``
or ``FAIL`` with the reason, and returns a `Report`, which is true if every case passed. Checks need
NumPy only.
"""

from .accuracy import check_restored_shift, check_two_product
from .attention import check_attention_merge, check_padded_values
from .corrections import check_log_gradient, check_masked_softmax, check_three_bugs
from .cross_entropy import (
    check_derivative,
    check_loss_from_logits,
    check_loss_gradient,
    check_penalty_gradient,
)
from .divergence import check_divergence, check_focal_loss, check_masked_entropy
from .drawing import check_drawn_class, check_smallest_nucleus
from .epsilon import check_epsilon_gradient, check_loss_without_cap
from .gpu import check_exp_from_exp2, check_mean_gradient
from .logsumexp import check_log_add_exp, check_log_sinh, check_log_softmax_order
from .low_precision import check_loss_scale, check_stored_logits, check_wide_dot
from .mxnet import check_log_distribution, check_strict_labels, check_wide_sum
from .network import check_count, check_forward, check_merge
from .numbers import check_error_measures, check_rounding, check_spacing
from .one_pass import check_guarded_merge, check_weighted_mean
from .overflow import (
    check_largest_safe_logit,
    check_overflow_free_softmax,
    check_row_maxima,
    check_stable_sigmoid,
)
from .pytorch import check_binary_loss, check_mean_loss
from .report import Case, Report, check_cases
from .rounding_error import check_accurate_sum, check_loss_condition
from .sequences import check_log_ratio, check_scaled_forward
from .softmax import check_class_axis, check_softmax_floor, check_temperature
from .special_values import check_masked_rows, check_mean_of_batches, check_where_backward
from .speed import check_bytes_moved, check_needs_shift
from .training import check_clip, check_monitor, check_standardize
from .underflow import check_boltzmann_weights, check_log_of_product, check_underflow_zone
from .vocabulary import check_carried_loss, check_mean_of_machines
