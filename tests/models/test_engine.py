from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.evaluation.tables import check_predictions
from ovfrad.models import engine, fitting, procedure
from ovfrad.models.fitting import fit_models
from ovfrad.models.procedure import BEST, OWN, Procedure
from ovfrad.models.rows import FIRST_COLUMNS, Rows
from ovfrad.models.scoring import FLOOR, fold_aucs, log_loss, macro_auc
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import NINE, Selection

Make = Callable[..., Rows]
Small = Callable[..., Procedure]
P = ["p_0", "p_1", "p_2"]
NOTE = "the fused set is empty: the nine classifiers predict the class shares of the training rows"


@pytest.fixture(scope="module")
def outcome(make_rows: Make, small: Small) -> engine.Outcome:
    return engine.run(make_rows(), small("LR", "DT", *OWN), {"external": make_rows(n=30, seed=1)})


def test_the_prediction_table_is_that_of_the_contract(outcome: engine.Outcome) -> None:
    table = outcome.predictions
    assert list(table.columns) == [*FIRST_COLUMNS, *P]
    assert set(table["cohort"]) == {"train", "train_apparent", "train_inner", "external"}
    check_predictions(table)
    models = {"LR", "DT", *OWN, BEST}
    plain = {"L2_all", "RF_all", "volume", "height", "center", "clinical"}
    sizes = {cohort: part["model"].value_counts().to_dict() for cohort, part in table.groupby("cohort")}
    assert sizes["train"] == sizes["train_apparent"] == dict.fromkeys(models | plain, 72)
    assert sizes["external"] == dict.fromkeys(models | plain, 30)
    assert sizes["train_inner"] == dict.fromkeys(models, 72)
    assert (table["fold"] >= 0).eq(table["cohort"] == "train").all()


def test_a_patient_is_in_one_outer_fold(outcome: engine.Outcome) -> None:
    train = outcome.predictions.query("cohort == 'train'")
    assert set(train["fold"]) == {0, 1, 2}
    assert (train.groupby("patient_id")["fold"].nunique() == 1).all()


def test_signal_is_found(outcome: engine.Outcome) -> None:
    for model, least in {"auto": 0.8, "LR": 0.75, "rad_score": 0.75, "sparse": 0.75}.items():
        rows = outcome.predictions.query("cohort == 'external' and model == @model")
        assert macro_auc(rows["y_true"].to_numpy(), rows[P].to_numpy()) > least, model


def test_what_a_fold_predicts_does_not_depend_on_what_it_holds_out(make_rows: Make, small: Small) -> None:
    """Labels and features of held-out patients are replaced by nonsense; the prediction of one untouched row stays."""
    rows, ways = make_rows(), small("LR", "DT", *OWN)
    train, test = engine._outer(rows, ways)[0]
    spoiled_X, spoiled_y = rows.X.copy(), rows.y.copy()
    spoiled_X.iloc[test[1:]] = 1e3
    spoiled_y.iloc[test] = 0
    spoiled = replace(
        rows, X=spoiled_X, y=spoiled_y, batch=np.where(np.isin(np.arange(72), test[1:]), "A1", rows.batch)
    )
    first, second = (
        engine._do(engine._Task(r, ways, ["L2_all", "RF_all"], {}, 0, (train, test), None))[1] for r in (rows, spoiled)
    )
    where = (first["patient_id"] == rows.groups[test[0]]) & (first["vertebra"] == rows.X.index[test[0]][1])
    assert where.sum() == 7 + (BEST in set(first["model"]))
    np.testing.assert_array_equal(first.loc[where, P], second.loc[where, P])


def test_the_chain_is_fitted_once_per_inner_fold_and_once_at_the_end(
    make_rows: Make, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    fit = FusedFeatures.fit

    def counted(self: FusedFeatures, X: pd.DataFrame, *args: object, **more: object) -> FusedFeatures:
        sizes.append(len(X))
        return fit(self, X, *args, **more)

    monkeypatch.setattr(FusedFeatures, "fit", counted)
    fit_models(make_rows(), small("LR", "SVM", "DT", *OWN))
    assert len(sizes) == 4
    assert sizes[-1] == 72
    assert max(sizes[:-1]) < 60


def test_grid_point_has_the_least_inner_log_loss_and_ties_go_to_the_simpler(
    make_rows: Make, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fit_models(make_rows(), small("LR", recalibrate=False))
    table = fitted.inner.query("model == 'LR'")
    assert fitted.models["LR"].inner_loss == pytest.approx(log_loss(table["y_true"].to_numpy(), table[P].to_numpy()))
    for C in (0.01, 0.1, 1.0, 10.0):
        point = ({"C": C},)
        monkeypatch.setattr(procedure, "make", lambda *a, p=point: (fitting.clone(fitted.models["LR"].estimator), p))
        alone = fit_models(make_rows(), small("LR", recalibrate=False), inner=True)
        assert alone.models["LR"].inner_loss >= fitted.models["LR"].inner_loss - 1e-9
    monkeypatch.undo()
    monkeypatch.setattr(fitting, "log_loss", lambda codes, proba: 1.0)
    assert fit_models(make_rows(), small("LR")).models["LR"].point == {"C": 0.01}


def test_best_of_nine_is_chosen_on_training_rows_alone(outcome: engine.Outcome) -> None:
    fitted = outcome.fitted
    assert fitted.best_of_nine in ("LR", "DT")
    scores = {name: fitted.models[name].inner_auc for name in ("LR", "DT")}
    assert fitted.best_of_nine == max(scores, key=lambda name: scores[name])
    external = outcome.predictions.query("cohort == 'external'")
    np.testing.assert_array_equal(
        external.query("model == @BEST")[P], external.query("model == @fitted.best_of_nine")[P]
    )


def test_recalibration_lowers_the_inner_log_loss_and_can_be_left_out(make_rows: Make, small: Small) -> None:
    rows = make_rows()
    with_it, without = (fit_models(rows, small("DT", "auto", recalibrate=on), inner=True) for on in (True, False))
    assert with_it.models["DT"].recalibration is not None
    assert without.models["DT"].recalibration is None
    for name in ("DT", "auto"):
        after, before = (f.inner.loc[f.inner["model"] == name, P].to_numpy() for f in (with_it, without))
        assert log_loss(rows.codes, after) < log_loss(rows.codes, before) + 1e-6
    np.testing.assert_array_equal(with_it.proba(rows, "auto", calibrated=False), without.proba(rows, "auto"))


def test_without_a_feature_the_nine_predict_the_training_shares_and_say_so(make_rows: Make, small: Small) -> None:
    rows = make_rows(signal=0.0, seed=3)
    fitted = fit_models(rows, small("LR", "KNN", "auto", recalibrate=False))
    assert fitted.chain.fused_ == []
    shares = np.bincount(rows.codes) / len(rows)
    np.testing.assert_allclose(fitted.proba(rows, "LR"), np.tile(shares, (72, 1)))
    assert fitted.notes == (NOTE,)
    assert len(np.unique(fitted.proba(rows, "auto")[:, 0])) > 10


@pytest.mark.parametrize(("K", "ordered"), [(2, True), (2, False), (4, False), (4, True)])
def test_any_number_of_classes_ordered_or_not(make_rows: Make, small: Small, K: int, ordered: bool) -> None:
    fitted = fit_models(make_rows(K=K, signal=2.0), small("LR", *OWN, classes=K, ordered=ordered))
    new = make_rows(K=K, signal=2.0, seed=1)
    for name in ("LR", "auto", "sparse", BEST):
        assert macro_auc(new.codes, fitted.proba(new, name)) > 0.75
    no_score = "there is no rad-score: rad_score predicts the class shares of the training rows"
    assert (no_score in fitted.notes) == (K > 2 and not ordered)


@pytest.mark.parametrize("balance", [{}, {"class_weights": True}, {"smote": True}])
def test_all_nine_run_however_classes_are_balanced(make_rows: Make, small: Small, balance: dict[str, bool]) -> None:
    fitted = fit_models(make_rows(), small(*NINE, **balance))
    assert fitted.best_of_nine in NINE
    for name in NINE:
        p = fitted.proba(make_rows(n=30, seed=5), name)
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-9)


def test_deep_arms_see_only_their_own_columns(make_rows: Make, small: Small) -> None:
    rows = make_rows(deep=30)
    other = rows.X.assign(**{f"deep_other_{i:04d}": np.nan for i in range(3)})
    fitted = fit_models(replace(rows, X=other), small("LR", "auto", arm="random"))
    assert any(name.startswith("pc_") for name in fitted.models["auto"].columns)
    alone = fit_models(replace(rows, X=other), small("LR", "auto"))
    assert not any(name.startswith("pc_") for name in alone.models["auto"].columns)


def test_two_processes_give_the_bytes_of_one(make_rows: Make, small: Small) -> None:
    rows, ways = make_rows(), small("LR", "DT", "auto")
    steps: list[tuple[str, int, int]] = []
    one = engine.run(rows, ways, jobs=1, progress=lambda *step: steps.append(step))
    two = engine.run(rows, ways, jobs=2)
    pd.testing.assert_frame_equal(one.predictions, two.predictions, check_exact=True)
    assert steps == [("sound / none", done, 4) for done in (1, 2, 3, 4)]


def test_the_order_of_rows_of_the_table_is_fixed(outcome: engine.Outcome) -> None:
    keys = ["recipe", "arm", "cohort", "model", "patient_id", "vertebra"]
    assert outcome.predictions[keys].equals(outcome.predictions[keys].sort_values(keys, ignore_index=True))


def test_an_interrupted_run_goes_on_from_its_finished_folds(
    make_rows: Make, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, ways = make_rows(), small("LR", baselines=False)

    def stop(label: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.nested(rows, ways, store=tmp_path, progress=stop)
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    fitted: list[int] = []
    monkeypatch.setattr(engine, "fit_models", lambda *a, **k: fitted.append(1) or fit_models(*a, **k))
    resumed = engine.nested(rows, ways, store=tmp_path)
    assert len(fitted) == 1
    pd.testing.assert_frame_equal(resumed, engine.nested(rows, ways), check_exact=True)
    fitted.clear()
    engine.nested(rows, replace(ways, random_state=1), store=tmp_path)
    assert len(fitted) == 3, "another seed is another run"


def test_stored_folds_are_named_by_all_that_they_depend_on(make_rows: Make) -> None:
    rows = make_rows()
    changed = [
        replace(rows, X=rows.X + 1e-9),
        replace(rows, y=rows.y.iloc[::-1]),
        replace(rows, batch=rows.batch[::-1]),
        replace(rows, center=None),
        rows.take(np.arange(72)[::-1]),
    ]
    assert len({rows.digest(), *(other.digest() for other in changed)}) == 6
    assert rows.digest() == make_rows().digest()


def test_stored_folds_of_other_code_are_not_taken(
    make_rows: Make, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.nested(make_rows(), small(), store=tmp_path, baselines=False)
    kept = set(tmp_path.iterdir())
    engine.nested(make_rows(), small(), store=tmp_path, baselines=False)
    assert set(tmp_path.iterdir()) == kept
    monkeypatch.setattr(engine, "code_of", lambda *parts: "other")
    engine.nested(make_rows(), small(), store=tmp_path, baselines=False)
    assert len(set(tmp_path.iterdir())) == 2 * len(kept)


def test_warnings_of_stored_folds_are_heard_again(tmp_path: Path) -> None:
    said = [(InputWarning, "W_FEW rows: 3; unsure"), (RuntimeWarning, "overflow")]
    engine._keep(pd.DataFrame({"p_0": [0.5]}), said, tmp_path / "fold.parquet")
    kept = pd.read_parquet(tmp_path / "fold.parquet")
    assert engine._heard(kept) == [(InputWarning, "W_FEW rows: 3; unsure"), (UserWarning, "overflow")]
    assert kept.attrs == {}


def scarce_rows(make_rows: Make, patients: list[int]) -> Rows:
    """Rows in which class 2 has only the patients of these rows."""
    rows = make_rows()
    codes = rows.codes.copy()
    codes[codes == 2] = 1
    codes[patients] = 2
    return replace(rows, y=pd.Series(codes, index=rows.X.index))


def test_a_class_of_one_patient_is_refused_before_anything_is_fitted(
    make_rows: Make, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "fit_models", lambda *a, **k: pytest.fail("something was fitted"))
    with pytest.raises(InputError) as refused:
        engine.run(scarce_rows(make_rows, [0]), small("LR"))
    assert str(refused.value) == (
        "E_FOLDS training rows: class 2 has 1 patient, fewer than the 2 that any split by patient needs; "
        "join or leave out this class"
    )


def test_few_patients_get_fewer_folds_and_a_warning(make_rows: Make, small: Small) -> None:
    rows = scarce_rows(make_rows, [0, 30])
    with pytest.warns(InputWarning) as told:
        outcome = engine.run(rows, small("DT", "auto"))
    assert "2 outer and no inner folds are used: nothing is tuned and nothing recalibrated" in str(told[0].message)
    predictions = outcome.predictions
    assert set(predictions.loc[predictions["cohort"] == "train", "fold"]) == {0, 1}
    assert "train_inner" not in set(predictions["cohort"])
    assert outcome.fitted.models["DT"].recalibration is None


def test_reservations_of_workers_are_heard_once(make_rows: Make, small: Small) -> None:
    rows = make_rows()
    few = rows.X.iloc[:6, :12]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = engine.run(replace(rows, reader2=few), small("LR", baselines=False))
    texts = [str(w.message) for w in caught if issubclass(w.category, InputWarning)]
    assert texts
    assert len(texts) == len(set(texts))
    assert set(texts) <= set(out.notes)


def test_rows_of_unequal_length_are_refused(make_rows: Make) -> None:
    rows = make_rows()
    with pytest.raises(InputError, match="E_ROWS batch: 3 for 72 rows of features; give one value for each row"):
        replace(rows, batch=np.array(["a", "b", "c"]))


def test_times_follow_their_rows_and_move_with_the_classes(make_rows: Make, small: Small) -> None:
    rows = make_rows()
    time = np.exp(-2 * rows.X["other_0"].to_numpy())  # nothing but other_0 decides when
    survival = pd.DataFrame({"time": time, "event": 1.0}, index=rows.X.index)
    timed = replace(rows, survival=survival)
    assert timed.digest() != rows.digest()
    part = timed.take(np.array([5, 2]))
    assert part.survival["time"].tolist() == [time[5], time[2]]
    order = np.arange(len(rows))[::-1]
    moved = timed.relabelled(order)
    assert moved.codes.tolist() == rows.codes[::-1].tolist()
    assert moved.survival["time"].tolist() == time[::-1].tolist()
    assert moved.survival.index.equals(moved.X.index)
    cox = replace(small("LR"), selection=Selection(lasso_kind="cox", lasso_rule="min"))
    by_time, by_class = (fit_models(of, cox, inner=False).chain.rad_score_.coefficients() for of in (timed, rows))
    assert by_time["feature"][0] == "other_0"
    assert by_class["feature"][0] in rows.X.columns[2:6]
    with pytest.raises(InputError, match="E_ROWS survival: 3 for 72 rows"):
        replace(rows, survival=survival[:3])


def test_unknown_models_are_refused(small: Small) -> None:
    with pytest.raises(ValueError, match="no model NB; known are LR, SVM"):
        small("NB")


def test_only_narrows_a_procedure(small: Small) -> None:
    ways = small("LR", "DT", "auto", classifiers=("LR", "DT"))
    assert ways.only("auto", recalibrate=False).names == ("auto",)
    assert not procedure.needs_inner(ways.only("auto", recalibrate=False))
    assert ways.only(BEST).names == ("LR", "DT")
    assert procedure.needs_inner(ways.only(BEST, recalibrate=False))


def test_selection_frequency_counts_inner_folds(outcome: engine.Outcome) -> None:
    table = engine.selection_frequency(outcome.fitted)
    assert list(table.columns) == ["feature", "share", "folds"]
    assert set(table["folds"]) == {3}
    assert table["share"].between(1 / 3, 1).all()
    assert table["share"].is_monotonic_decreasing


def test_scores_that_choose() -> None:
    codes = np.array([0, 1, 0, 1])
    p = np.array([0.2, 0.9, 0.0, 0.3])
    proba = np.column_stack([1 - p, p])
    assert log_loss(codes, proba) == pytest.approx(-np.log([0.8, 0.9, 1.0, 0.3]).mean())
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(FLOOR))
    assert fold_aucs(codes, proba, np.array([0, 0, 1, 1])).tolist() == [1.0, 1.0]
    assert fold_aucs(codes, proba, np.array([0, 1, 2, 2])).tolist() == [1.0]
