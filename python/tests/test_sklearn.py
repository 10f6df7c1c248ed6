"""The estimator within scikit-learn."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from conftest import SMALL

import alrnn_gpu

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.utils.estimator_checks import estimator_checks_generator

#: Small enough for the tiny arrays of the checks.
TINY = {
    **SMALL,
    "standardize": True,
    "M": 20,
    "T": 3,
    "tau": 2,
    "epochs": 2,
    "batches_per_epoch": 2,
    "bins": 3,
    "pe_steps": 1,
}


def checks():
    """What `check_estimator` runs, one by one; none is exempt."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the estimator does not inherit from scikit-learn's
        for estimator, check in estimator_checks_generator(alrnn_gpu.ALRNN(**TINY)):
            yield pytest.param(estimator, check, id=check.func.__name__)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator, check", list(checks()))
def test_estimator(estimator, check):
    check(estimator)


def test_grid_search_over_time(lorenz):
    search = GridSearchCV(alrnn_gpu.ALRNN(**SMALL), {"P": [1, 2], "tau": [5, 10]}, cv=TimeSeriesSplit(2))
    search.fit(lorenz)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.P == search.best_params_["P"]
    assert search.best_score_ == max(search.cv_results_["mean_test_score"]) <= 0
    assert search.predict(lorenz[:10]).shape == (10, 3)


def test_clone_and_pickle(lorenz, trained):
    assert clone(trained).get_params() == trained.get_params() and not hasattr(clone(trained), "model_")
    for other in (pickle.loads(pickle.dumps(trained)), copy.deepcopy(trained)):
        np.testing.assert_array_equal(other.generate(50), trained.generate(50))
        assert other.scores_ == trained.scores_ and other.model_.to_bytes() == trained.model_.to_bytes()
    study = alrnn_gpu.Study(**SMALL, seeds=2).fit(lorenz)
    other = pickle.loads(pickle.dumps(study))
    assert other.members == study.members
    np.testing.assert_array_equal(other.best.generate(20), study.best.generate(20))
