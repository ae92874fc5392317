"""Change the code in one place at a time, and see whether the tests notice.

Run by hand, as it takes some minutes; a change that survives is a fact that no test states:

    python tests/mutate.py
    python tests/mutate.py --only inner_folds_by_window --only batches_never_shuffled
    python tests/mutate.py --n-jobs 4
"""

import argparse
import contextlib
import importlib
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
SECONDS = 900  # after which a run is given up, as an error: it may loop for ever
# Loaded once, before the processes start, each of which would take seconds to do so.
HEAVY = ["matplotlib.pyplot", "neurokit2", "skorch", "sklearn.ensemble"]

Mutation = namedtuple("Mutation", "name file old new tests")

_FOLD, _ENGINE = "physio_ssl/evaluation/fold.py", "physio_ssl/evaluation/engine.py"
_FEW, _PROBE = "physio_ssl/evaluation/label_efficiency.py", "physio_ssl/evaluation/linear_probe.py"
_ONCE, _STATISTICS = "physio_ssl/evaluation/embedding.py", "physio_ssl/evaluation/inference.py"
_SCORES, _CALIBRATION = "physio_ssl/evaluation/metrics.py", "physio_ssl/evaluation/calibration.py"
_SHUFFLED = "examples/published_protocols.py"
_CLASSIFIER, _HEAD = "physio_ssl/classifier.py", "physio_ssl/head_classifier.py"
_ENCODER, _DATA = "physio_ssl/encoder.py", "physio_ssl/training/data.py"
_NET, _PRETRAINING = "physio_ssl/training/net.py", "physio_ssl/training/pretraining.py"
_MODELS, _SCHEDULE = "physio_ssl/training/models.py", "physio_ssl/training/schedule.py"
_AMPLITUDE, _TEMPORAL = "physio_ssl/transforms/amplitude.py", "physio_ssl/transforms/temporal.py"
_LAYERS, _TCN = "physio_ssl/networks/_layers.py", "physio_ssl/networks/multimodal_transformer.py"
_ECG, _CONV = "physio_ssl/networks/ecg_transformer.py", "physio_ssl/networks/conv_encoder.py"
_MASKED, _VIEWS = "physio_ssl/pretext/masked_prediction.py", "physio_ssl/pretext/_views.py"
_RECOGNITION = "physio_ssl/pretext/transform_recognition.py"
_SEVERAL = "physio_ssl/pretext/multi_task_recognition.py"
_SUMMARY = "physio_ssl/pretext/statistics_prediction.py"

# name, file, text that occurs in it once, text to put there, tests that should notice
MUTATIONS = [
    # Folds of a study
    (
        "inner_folds_by_window",
        _FOLD,
        "inner = GroupKFold(min(trial.inner_cv, n_subjects))",
        "from sklearn.model_selection import KFold\n"
        "        inner = KFold(min(trial.inner_cv, n_subjects))",
        "test_study::test_inner_folds_are_split_by_subject",
    ),
    (
        "two_inner_folds",
        _FOLD,
        "GroupKFold(min(trial.inner_cv, n_subjects))",
        "GroupKFold(2)",
        "test_study::test_there_are_as_many_inner_folds_as_asked_for",
    ),
    (
        "scoring_of_a_search_ignored",
        _FOLD,
        "scoring=trial.scoring,",
        "scoring=None,",
        "test_study::test_a_search_maximises_what_it_is_told_to",
    ),
    (
        "draws_take_the_seed_of_the_fold",
        _FOLD,
        "set_seeds(clone(model), unset, draw.seed)",
        "set_seeds(clone(model), unset, fold.seed)",
        "test_label_efficiency::test_each_repeat_seeds_the_models_anew",
    ),
    (
        "own_seed_replaced",
        _FOLD,
        'if last == "random_state" and value is None and',
        'if last == "random_state" and',
        "test_study::test_a_models_own_seed_is_kept",
    ),
    (
        "seed_of_a_draw_forgotten",
        _FOLD,
        "draw.seed if unset else None",
        "None",
        "test_label_efficiency::test_each_repeat_seeds_the_models_anew",
    ),
    (
        "draws_of_equal_size_are_one",
        _FOLD,
        "key = number, draw.rows.tobytes(),",
        "key = number, len(draw.rows),",
        "test_label_efficiency::test_few_labels_are_part_of_more_labels_and_repeats_differ",
    ),
    (
        "with_and_without_features_are_one",
        _FOLD,
        "key = number, draw.rows",
        "key = 0, draw.rows",
        "test_baselines::test_an_embedding_joins_each_table_of_features",
    ),
    (
        "features_of_other_windows_join",
        _FOLD,
        "np.hstack([features[rows], X])",
        "np.hstack([features[: len(rows)], X])",
        "test_baselines::test_features_join_the_embedding_of_the_same_windows",
    ),
    (
        "all_rows_tested_after_calibration",
        _FOLD,
        "test = fold.test if draw.test is None else draw.test",
        "test = fold.test",
        "test_label_efficiency::"
        "test_all_numbers_of_minutes_are_tested_on_windows_that_do_not_overlap_them",
    ),
    (
        "all_training_labels_used",
        _FOLD,
        "take(X, place[draw.rows]), draw.rows)",
        "take(X, place[fold.train]), fold.train)",
        "test_label_efficiency::test_numbers_of_subjects_are_whole_subjects",
    ),
    (
        "pretrained_on_test_subjects",
        _FOLD,
        "pretrain(model, take(trial.X, fold.train), trial.groups[fold.train], searched)",
        "pretrain(model, trial.X, trial.groups, searched)",
        "test_label_efficiency::test_pretraining_sees_all_training_windows_whatever_is_labelled",
    ),
    (
        "seeds_of_all_numbers_alike",
        _FOLD,
        "np.random.SeedSequence(numbers)",
        "np.random.SeedSequence(numbers[:1])",
        "test_study::test_each_fold_and_repeat_has_its_own_seed",
    ),
    (
        "subjects_not_handed_over",
        _FOLD,
        '        routed = {f"{prefix}groups": groups}',
        "        routed = {}",
        "test_study::test_early_stopping_gets_the_subjects",
    ),
    (
        "scores_of_classes_swapped",
        _FOLD,
        "np.column_stack([-scores, scores])",
        "np.column_stack([scores, -scores])",
        "test_study::test_a_decision_function_gives_the_auroc_of_its_second_class",
    ),
    (
        "classes_not_aligned",
        _FOLD,
        "aligned[:, np.searchsorted(classes, learned)] = scores",
        "aligned[:, : len(learned)] = scores",
        "test_study::test_a_class_no_training_subject_has_gets_probability_zero",
    ),
    (
        "predictions_of_other_rows",
        _FOLD,
        "own = test[chosen]",
        "own = chosen",
        "test_study::test_predictions_are_kept_unless_told_not_to",
    ),
    (
        "threads_as_they_are",
        _FOLD,
        "threadpool_limits(1)",
        "threadpool_limits(None)",
        "test_study::test_each_fold_has_one_thread_whatever_the_main_process_has",
    ),
    (
        "seeds_of_a_model_alike",
        _ENGINE,
        "derive_seed(draw.seed, seed)",
        "draw.seed",
        "test_study::test_each_of_several_seeds_of_a_model_is_another",
    ),
    (
        "folds_pretrain_with_one_seed",
        _ENGINE,
        "derive_seed(settings.random_state, i, 0)",
        "derive_seed(settings.random_state, 0, 0)",
        "test_study::test_each_fold_and_repeat_has_its_own_seed",
    ),
    (
        "folds_have_one_seed",
        "physio_ssl/evaluation/study.py",
        "derive_seed(random_state, fold, 0)",
        "derive_seed(random_state, 0, 0)",
        "test_study::test_each_fold_and_repeat_has_its_own_seed",
    ),
    (
        "mixed_windows_embedded_together",
        _ONCE,
        "if not _equal(alone, _safe_indexing(transformed, few)):",
        "if False:",
        "test_study::test_a_step_that_mixes_windows_sees_training_windows_by_themselves",
    ),
    (
        "embeddings_mixed_up",
        _ONCE,
        "(id(X), *map(id, steps))",
        "(id(X), len(steps))",
        "test_study::test_two_functions_of_one_name_are_not_taken_for_one",
    ),
    (
        "pretrained_without_subjects",
        _ONCE,
        "clone(step).fit(X, groups=groups)",
        "clone(step).fit(X)",
        "test_label_efficiency::test_pretraining_sees_all_training_windows_whatever_is_labelled",
    ),
    # Few labels
    (
        "repeats_have_one_seed",
        _FEW,
        "seed = derive_seed(random_state, fold, repeat)\n            rng",
        "seed = derive_seed(random_state, fold, 0)\n            rng",
        "test_label_efficiency::test_each_repeat_seeds_the_models_anew",
    ),
    (
        "fractions_not_drawn",
        _FEW,
        "order = rng.permutation(train)",
        "order = train",
        "test_label_efficiency::test_few_labels_are_part_of_more_labels_and_repeats_differ",
    ),
    (
        "small_fractions_are_nothing",
        _FEW,
        "max(1, round(fraction * len(rows)))",
        "round(fraction * len(rows))",
        "test_label_efficiency::test_every_class_of_every_subject_keeps_a_window",
    ),
    (
        "people_not_drawn",
        _FEW,
        "order = rng.permutation(subjects)",
        "order = subjects",
        "test_label_efficiency::test_repeats_label_other_people",
    ),
    (
        "few_people_of_one_class",
        _FEW,
        "np.isin(groups, order[: min(numbers)])",
        "np.isin(groups, order[: max(numbers)])",
        "test_label_efficiency::test_the_fewest_labelled_people_have_all_classes",
    ),
    (
        "random_minutes_of_one_seed",
        _FEW,
        "np.random.default_rng(seed).permutation(taken)",
        "np.random.default_rng(0).permutation(taken)",
        "test_label_efficiency::test_random_minutes_may_lie_anywhere",
    ),
    (
        "calibration_windows_tested",
        _FEW,
        "condition, seed, rows[rest])",
        "condition, seed, rows)",
        "test_label_efficiency::"
        "test_all_numbers_of_minutes_are_tested_on_windows_that_do_not_overlap_them",
    ),
    (
        "a_window_too_many",
        _CALIBRATION,
        "<= 60 * n_minutes + _ROUNDING",
        "<= 60 * n_minutes + duration",
        "test_label_efficiency::test_random_draws_cover_their_minutes_and_no_test_window",
    ),
    (
        "test_windows_overlap_calibration",
        _CALIBRATION,
        "apart >= distance - _ROUNDING",
        "apart > 0",
        "test_label_efficiency::test_random_draws_cover_their_minutes_and_no_test_window",
    ),
    # The linear probe and other baselines
    (
        "probe_chooses_on_known_people",
        _PROBE,
        "in GroupKFold(min(self.cv, n_groups)).split(X, y, groups):",
        "in __import__('sklearn').model_selection.KFold(3, shuffle=True).split(X, y):",
        "test_baselines::test_a_probe_chooses_c_on_people_held_out",
    ),
    (
        "probe_scales_by_people_held_out",
        _PROBE,
        "scaler = _fit_scaler(X[train], of_known, widths)",
        "scaler = _fit_scaler(X, weight, widths)",
        "test_baselines::test_a_probe_scales_by_people_it_is_trained_on",
    ),
    (
        "probe_counts_windows_not_classes",
        _PROBE,
        "log_loss(y, model.predict_proba(X), sample_weight=weight,",
        "log_loss(y, model.predict_proba(X),",
        "test_baselines::test_a_probe_chooses_as_a_loop_by_hand",
    ),
    (
        "wide_blocks_drown_narrow_ones",
        _PROBE,
        "np.full(width, width**-0.5)",
        "np.full(width, 1.0)",
        "test_baselines::test_a_wide_block_does_not_drown_a_narrow_one",
    ),
    (
        "columns_not_clipped",
        _PROBE,
        "_LIMIT = 5.0",
        "_LIMIT = 1e9",
        "test_baselines::test_a_column_that_hardly_varies_in_training_does_not_decide_elsewhere",
    ),
    (
        "clock_knows_the_people",
        "physio_ssl/evaluation/clock.py",
        "GroupKFold(min(n_people, _MAX_FOLDS)).split(columns, groups=subjects)",
        "__import__('sklearn').model_selection.KFold(5, shuffle=True).split(columns)",
        "test_confounds::test_a_clock_predicts_people_left_out",
    ),
    # Scores and statistics
    (
        "half_the_macro_f1",
        _SCORES,
        "np.mean(2 * hits / (counts + n_predicted))",
        "np.mean(hits / (counts + n_predicted))",
        "test_results::test_scores_are_those_of_scikit_learn",
    ),
    (
        "missing_class_scores_zero",
        _SCORES,
        "if counts.all():",
        "if True:",
        "test_results::test_scores_that_need_all_classes_are_missing_where_one_lacks",
    ),
    (
        "biased_variance",
        _STATISTICS,
        "values.var(axis=-1, ddof=1)",
        "values.var(axis=-1, ddof=0)",
        "test_golden::test_numbers_stay_the_same[study]",
    ),
    (
        "errors_without_floor",
        _STATISTICS,
        "np.maximum(errors, _LEAST_ERROR * error)",
        "np.maximum(errors, 1e-9 * error)",
        "test_golden::test_numbers_stay_the_same[study]",
    ),
    (
        "wrong_degrees_of_freedom",
        _STATISTICS,
        "np.sum(parts**2 / (np.array(sizes) - 1))",
        "np.sum(parts**2 / np.array(sizes))",
        "test_golden::test_numbers_stay_the_same[study]",
    ),
    (
        "holm_not_monotone",
        _STATISTICS,
        "np.maximum.accumulate(steps).clip(max=1)",
        "steps.clip(max=1)",
        "test_results::test_holm_by_hand",
    ),
    (
        "first_repeat_only",
        "physio_ssl/evaluation/records.py",
        "who: np.mean(found) if found",
        "who: found[0] if found",
        "test_results::test_repeats_are_averaged_within_the_subject_first",
    ),
    (
        "people_resampled_over_studies",
        "physio_ssl/evaluation/pooling.py",
        'strata="study"',
        "strata=None",
        "test_pooling::test_people_are_resampled_within_their_study",
    ),
    # Published protocols
    (
        "shuffled_protocol_in_order",
        _SHUFFLED,
        "KFold(10, shuffle=True, random_state=random_state)",
        "KFold(10)",
        "test_published_protocols::test_shuffled_folds_are_drawn_by_their_seed_and_scored_as_a_whole",
    ),
    (
        "shuffled_protocol_of_one_seed",
        _SHUFFLED,
        "KFold(10, shuffle=True, random_state=random_state)",
        "KFold(10, shuffle=True, random_state=0)",
        "test_published_protocols::test_shuffled_folds_are_drawn_by_their_seed_and_scored_as_a_whole",
    ),
    (
        "models_of_the_shuffled_protocol_of_one_seed",
        _SHUFFLED,
        'settings |= {"random_state": random_state, "on_leak"',
        'settings |= {"random_state": 0, "on_leak"',
        "test_published_protocols::test_shuffled_folds_are_drawn_by_their_seed_and_scored_as_a_whole",
    ),
    (
        "shuffled_protocol_without_probabilities",
        _SHUFFLED,
        "(part[key] or [] for part in some)",
        "(part[key] for part in some)",
        "test_published_protocols::test_a_model_without_scores_has_no_auroc_when_shuffled",
    ),
    # Classifiers
    (
        "people_of_fine_tuning_forgotten",
        _CLASSIFIER,
        "add_groups(given.groups_seen_, groups)",
        "given.groups_seen_",
        "test_classifier::test_fine_tuning_adds_to_the_people_seen",
    ),
    (
        "encoder_trained_in_place",
        _CLASSIFIER,
        "copy.deepcopy(given)",
        "given",
        "test_classifier::test_fine_tuning_starts_from_the_encoder_and_changes_a_copy",
    ),
    (
        "one_learning_rate",
        _CLASSIFIER,
        '"lr": self.encoder_lr}',
        '"lr": self.lr}',
        "test_classifier::test_the_encoder_can_have_its_own_learning_rate",
    ),
    (
        "supervised_network_learns_slowly",
        _CLASSIFIER,
        'if self.encoder_lr is None or self.mode != "fine_tuned":',
        "if self.encoder_lr is None:",
        "test_classifier::test_a_network_from_random_weights_has_the_rate_of_the_head",
    ),
    (
        "dropout_after_the_linear_probe",
        _CLASSIFIER,
        "            self.module_.network.eval()",
        "            pass",
        "test_classifier::test_the_network_has_no_dropout_after_a_linear_probe",
    ),
    (
        "head_trained_first_forgotten",
        _CLASSIFIER,
        "self.module_.head.load_state_dict(probe.module_.state_dict())",
        "pass",
        "test_classifier::test_the_head_may_be_trained_before_the_network",
    ),
    (
        "supervised_takes_the_encoders_seed",
        _CLASSIFIER,
        "set_params(max_epochs=0, random_state=None)",
        "set_params(max_epochs=0)",
        "test_classifier::test_supervised_training_uses_no_weights_and_no_seed_of_the_encoder",
    ),
    (
        "encoders_of_all_seeds_alike",
        _CLASSIFIER,
        "seed = check_random_state(self.random_state).randint(2**31 - 1)",
        "seed = 0",
        "test_classifier::test_other_seeds_pretrain_another_encoder",
    ),
    (
        "few_windows_few_steps",
        _HEAD,
        "max(self.max_epochs, ceil(self.min_steps / n_batches))",
        "self.max_epochs",
        "test_classifier::test_few_windows_get_more_epochs",
    ),
    (
        "windows_held_out_not_people",
        _HEAD,
        "GroupShuffleSplit(1, test_size=self.validation_fraction, random_state=seed)",
        "__import__('sklearn').model_selection.ShuffleSplit(\n"
        "            1, test_size=self.validation_fraction, random_state=seed)",
        "test_classifier::test_early_stopping_holds_out_subjects_and_restores_the_best_epoch",
    ),
    (
        "half_the_people_held_out",
        _HEAD,
        "test_size=self.validation_fraction",
        "test_size=0.5",
        "test_classifier::test_early_stopping_holds_out_subjects_and_restores_the_best_epoch",
    ),
    (
        "same_people_held_out_for_all_seeds",
        _HEAD,
        "seed = check_random_state(self.random_state).randint(2**31 - 1)",
        "seed = 0",
        "test_classifier::test_other_seeds_hold_out_other_people",
    ),
    (
        "last_epoch_kept",
        _HEAD,
        "load_best=True",
        "load_best=False",
        "test_classifier::test_early_stopping_holds_out_subjects_and_restores_the_best_epoch",
    ),
    (
        "class_weights_ignored",
        _HEAD,
        'self._loss_arguments["weight"] = torch.as_tensor(of_class, dtype=torch.float32)',
        "pass",
        "test_classifier::test_class_weights_shift_the_predictions",
    ),
    # Training
    (
        "views_of_all_seeds_alike",
        _ENCODER,
        "self._rng_ = np.random.default_rng(seed)",
        "self._rng_ = np.random.default_rng(0)",
        "test_encoder::test_other_seeds_show_other_views",
    ),
    (
        "same_views_when_training_goes_on",
        _ENCODER,
        "with self._reproducible(n_before) as seed:",
        "with self._reproducible() as seed:",
        "test_encoder::test_partial_fit_trains_on_other_views",
    ),
    (
        "scaled_whatever_is_asked_for",
        _ENCODER,
        "measure_scale(X) if self.standardize else {}",
        "measure_scale(X)",
        "test_encoder::test_units_matter_only_where_channels_are_not_standardized",
    ),
    (
        "untrained_without_scaling",
        _ENCODER,
        "        copy.module_.scaler.load_state_dict(self.module_.scaler.state_dict())\n",
        "",
        "test_baselines::test_an_untrained_network_scales_as_the_encoder_does",
    ),
    (
        "batches_never_shuffled",
        _DATA,
        "elif self.shuffle:",
        "elif False:",
        "test_encoder::test_each_epoch_has_its_own_order",
    ),
    (
        "weights_of_other_windows",
        _DATA,
        "weight[np.asarray(dataset.indices)]",
        "weight[: len(dataset.indices)]",
        "test_encoder::test_held_out_windows_are_not_drawn",
    ),
    (
        "held_out_windows_drawn_by_weight",
        _NET,
        "get_sampling_weight(dataset) if training else None",
        "get_sampling_weight(dataset)",
        "test_encoder::test_held_out_windows_are_not_drawn",
    ),
    (
        "held_out_windows_shuffled",
        _NET,
        'kwargs.pop("batch_size"), training, weight)',
        'kwargs.pop("batch_size"), True, weight)',
        "test_encoder::test_held_out_windows_keep_their_order",
    ),
    (
        "all_seeds_alike",
        _NET,
        "torch.manual_seed(seed)",
        "torch.manual_seed(0)",
        "test_encoder::test_each_seed_starts_from_other_weights",
    ),
    (
        "dropout_in_evaluation",
        _NET,
        "self._set_training(False)",
        "self._set_training(True)",
        "test_encoder::test_windows_are_embedded_independently_of_their_batch",
    ),
    (
        "dropout_in_the_validation_loss",
        _PRETRAINING,
        "self._set_training(False)",
        "self._set_training(True)",
        "test_training::test_dropout_is_on_in_training_and_off_in_validation",
    ),
    (
        "no_dropout_in_training",
        _PRETRAINING,
        "self._set_training(True)",
        "self._set_training(False)",
        "test_training::test_dropout_is_on_in_training_and_off_in_validation",
    ),
    (
        "metrics_of_batches_averaged_alike",
        _PRETRAINING,
        "weights=[row[size] for row in rows]",
        "weights=None",
        "test_training::test_the_accuracy_of_an_epoch_is_that_of_its_windows",
    ),
    (
        "windows_not_scaled_in_training",
        _PRETRAINING,
        "signals = self.module_.scaler(self._to_device(batch[0]))",
        "signals = self._to_device(batch[0])",
        "test_training::test_training_sees_scaled_windows",
    ),
    (
        "scaled_by_the_variance",
        _MODELS,
        "np.sqrt(squares / (len(array) * array.shape[2]))",
        "squares / (len(array) * array.shape[2])",
        "test_encoder::test_the_scale_is_measured_in_blocks_of_few_bytes",
    ),
    (
        "scaling_not_undone",
        _MODELS,
        'x * self.get_buffer(f"scale_{name}") + self.get_buffer(f"center_{name}")',
        'x * self.get_buffer(f"scale_{name}")',
        "test_training::test_a_scaler_undoes_what_it_does",
    ),
    (
        "first_step_wasted",
        _SCHEDULE,
        "(self.step_ + 1) / (n_warmup + 1)",
        "self.step_ / n_warmup",
        "test_training::test_the_rate_rises_before_it_falls",
    ),
    (
        "cosine_is_no_cosine",
        _SCHEDULE,
        "(1 + cos(pi * fraction)) / 2",
        "cos(pi * fraction / 2)",
        "test_training::test_the_rate_may_fall_as_half_a_cosine",
    ),
    # Transforms
    (
        "one_knot_less",
        _AMPLITUDE,
        "(1, sigma, (n_windows, n_knots + 2))",
        "(1, sigma, (n_windows, n_knots + 1))",
        "test_transforms::test_a_magnitude_warp_has_its_knots_between_two_ends",
    ),
    (
        "noise_from_the_variance",
        _AMPLITUDE,
        "xp.sqrt(power * 10 ** (-snr_db / 10))",
        "(power * 10 ** (-snr_db / 10))",
        "test_transforms::test_noise_has_the_asked_ratio",
    ),
    (
        "fewer_pieces_stretched",
        _TEMPORAL,
        "ranks[:, : ceil(n_pieces / 2)]",
        "ranks[:, : n_pieces // 2]",
        "test_golden::test_numbers_stay_the_same[transform]",
    ),
    (
        "last_piece_never_kept",
        _TEMPORAL,
        "integers(ceil(n_times / length), size=n_windows)",
        "integers(ceil(n_times / length) - 1, size=n_windows)",
        "test_transforms::test_every_piece_may_be_kept",
    ),
    (
        "blom_not_hazen",
        "physio_ssl/functional.py",
        "(rankdata(X, axis=-1) - 0.5) / X.shape[-1]",
        "(rankdata(X, axis=-1) - 0.375) / (X.shape[-1] + 0.25)",
        "test_functional::test_normal_scores_are_the_quantiles_of_hazens_ranks",
    ),
    # Networks
    (
        "relu_before_the_residual_sum",
        _TCN,
        "F.relu(h + self.residual(x))",
        "F.relu(h) + self.residual(x)",
        "test_network::test_the_last_step_of_a_tcn_is_a_relu",
    ),
    (
        "no_residual",
        _TCN,
        "F.relu(h + self.residual(x))",
        "F.relu(h)",
        "test_golden::test_numbers_stay_the_same[embed_by_networks]",
    ),
    (
        "dropout_in_networks_in_evaluation",
        _LAYERS,
        "if not training or p == 0:",
        "if p == 0:",
        "test_network::test_dropout_is_off_when_not_training",
    ),
    (
        "norm_before_the_sum",
        _LAYERS,
        "self.norm1(x + self._drop(self._attend(x)))",
        "x + self._drop(self._attend(self.norm1(x)))",
        "test_golden::test_numbers_stay_the_same[embed_by_networks]",
    ),
    (
        "one_modality_too_many_kept",
        _LAYERS,
        "(draws < probability) & ~kept",
        "(draws < probability)",
        "test_missing_modalities::test_a_window_never_loses_all_modalities",
    ),
    (
        "order_of_tokens_unknown",
        _ECG,
        "x = x + self.positions[: x.shape[1]]",
        "x = x + 0 * self.positions[: x.shape[1]]",
        "test_ecg_transformer::test_order_matters",
    ),
    (
        "cls_token_in_the_mean",
        _ECG,
        "tokens[:, 1:].mean(dim=1)",
        "tokens.mean(dim=1)",
        "test_ecg_transformer::test_the_embedding_is_that_asked_for",
    ),
    (
        "slope_of_another_relu",
        _CONV,
        "conv.kernel_size[1])), 0.2)",
        "conv.kernel_size[1])), 0.01)",
        "test_conv_encoder::test_tokens_are_those_of_plain_loops",
    ),
    # Pretext tasks
    (
        "all_samples_predicted",
        _MASKED,
        "F.mse_loss(predicted[name][mask], x[mask])",
        "F.mse_loss(predicted[name], x)",
        "test_masked_prediction::test_the_loss_is_the_mean_squared_error_on_masked_samples_only",
    ),
    (
        "masks_a_sample_longer",
        _VIEWS,
        "mask[:, mask_length:] -= before[:, :-mask_length]",
        "mask[:, mask_length + 1 :] -= before[:, : -mask_length - 1]",
        "test_masked_prediction::test_masked_spans_have_their_length",
    ),
    (
        "views_of_one_version",
        _VIEWS,
        "rng.random((len(first), n_versions)).argsort(axis=1)[:, :n_views]",
        "np.tile(np.arange(n_views), (len(first), 1))",
        "test_pretext::test_one_view_draws_all_classes_alike",
    ),
    (
        "one_modality_in_the_loss",
        _RECOGNITION,
        "loss = loss + F.cross_entropy(logits, target)",
        "loss = F.cross_entropy(logits, target)",
        "test_pretext::test_the_loss_is_the_sum_of_the_heads_cross_entropies",
    ),
    (
        "twice_the_l2",
        _SEVERAL,
        "self.l2 / 2 * sum",
        "self.l2 * sum",
        "test_golden::test_numbers_stay_the_same[measure_pretext_losses]",
    ),
    (
        "squared_error_of_statistics",
        _SUMMARY,
        "F.smooth_l1_loss(predicted, statistics)",
        "F.mse_loss(predicted, statistics)",
        "test_statistics_prediction::test_the_loss_is_the_sum_over_modalities",
    ),
]
MUTATIONS = [Mutation(*mutation) for mutation in MUTATIONS]


def list_tests(mutation):
    """Return the tests of a mutation as pytest names them."""
    return [f"tests/{test.replace('::', '.py::', 1)}" for test in mutation.tests.split()]


def run_tests(folder, tests):
    """Run tests in a copy of the repository, and return pytest's exit code and what it prints."""
    import pytest

    os.chdir(folder)
    os.environ["PYTHONPATH"] = sys.path[0] = str(folder)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
    return int(code), shown.getvalue()[-2000:]


def run_in_copy(mutation, results):
    """Change a copy of the repository, and put what its tests return into a queue."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("physio_ssl", "tests", "examples"):
            shutil.copytree(ROOT / part, folder / part)
        shutil.copy(ROOT / "pyproject.toml", folder)
        path = folder / mutation.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        results.put(run_tests(folder, list_tests(mutation)))


def judge(mutation):
    """Return pytest's exit code, which is 1 if a test noticed the mutation, and what it printed."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=run_in_copy, args=(mutation, results))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        return -1, "too slow"
    return (-1, "the process died") if results.empty() else results.get()


def main():
    """Apply the mutations in a random but fixed order, and print which survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], help="name of a mutation")
    parser.add_argument("--n-jobs", type=int, default=1)
    arguments = parser.parse_args()
    chosen = [one for one in MUTATIONS if not arguments.only or one.name in arguments.only]
    chosen = [chosen[i] for i in np.random.default_rng(0).permutation(len(chosen))]
    for name in HEAVY:
        importlib.import_module(name)
    n_noticed = 0
    with ThreadPoolExecutor(arguments.n_jobs) as pool:
        for mutation, (code, shown) in zip(chosen, pool.map(judge, chosen), strict=True):
            n_noticed += code == 1
            verdict = {0: "SURVIVED", 1: "killed"}.get(code, f"ERROR {code}")
            print(f"{verdict:9s} {mutation.name}: {shown.strip().splitlines()[-2:]}", flush=True)
    print(f"{n_noticed} of {len(chosen)} mutations were noticed")
    sys.exit(n_noticed < len(chosen))


if __name__ == "__main__":
    main()
