#!/usr/bin/env python3
"""Writes statistics_scipy.h: what scipy, scikit-learn and statsmodels say about random data.
Usage: make_statistics.py > statistics_scipy.h     (needs numpy, scipy, scikit-learn, statsmodels)"""
import numpy as np
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(23)
out = ["/* Made by make_statistics.py with scipy, scikit-learn and statsmodels; do not edit. */", "#include <stdint.h>"]


def array(kind, name, values):
    text = ", ".join(repr(float(v)) if kind == "double" else repr(float(np.float32(v))) + "f" if kind == "float" else str(int(v)) for v in np.asarray(values).ravel())
    out.append(f"static const {kind} {name}[] = {{{text}}};")


def predictions(rows, classes, skill):
    """Truth and two models' probabilities: float32 values as C sees them."""
    y = rng.integers(classes, size=rows)
    both = []
    for s in skill:
        z = rng.normal(size=(rows, classes)) + s * np.eye(classes)[y]
        p = np.exp(z)
        both.append((p / p.sum(1, keepdims=True)).astype(np.float32).astype(float))
    return y, both


# ---- two models on the same rows ----
def accuracy_gap(a, b, axis=-1):
    return a.mean(axis) - b.mean(axis)


for name, rows, skill in (("near", 300, (1.2, 1.15)), ("far", 300, (1.8, 1.2))):
    y, (a, b) = predictions(rows, 3, skill)
    right = [(p.argmax(1) == y).astype(float) for p in (a, b)]
    boot = stats.bootstrap(right, accuracy_gap, paired=True, vectorized=True, n_resamples=20000, method="percentile", rng=np.random.default_rng(1))
    d = right[0].mean() - right[1].mean()
    shifted = np.abs(boot.bootstrap_distribution - d) >= abs(d) - 1e-12
    test = stats.permutation_test(right, accuracy_gap, permutation_type="samples", vectorized=True, n_resamples=20000, rng=np.random.default_rng(2))
    array("int32_t", f"{name}_label", y)
    array("float", f"{name}_a", a)
    array("float", f"{name}_b", b)
    array("double", f"{name}_want", [right[0].mean(), right[1].mean(), d, boot.confidence_interval.low, boot.confidence_interval.high, (shifted.sum() + 1) / 20001, test.pvalue])

# ---- Holm, Fisher ----
p = np.concatenate([rng.uniform(size=6), rng.uniform(size=5) ** 6, [0.04, 0.04, 1.0]])
array("double", "holm_p", p)
array("double", "holm_want", multipletests(p, method="holm")[1])
tables = [(3, 1, 1, 3), (10, 90, 5, 200), (0, 10, 4, 30), (25, 25, 25, 25), (7, 0, 120, 400), (300, 700, 210, 790), (5, 0, 0, 0)]
array("int64_t", "fisher_tables", tables)
array("double", "fisher_want", [[stats.fisher_exact([t[:2], t[2:]], alternative=a)[1] for a in ("greater", "two-sided")] for t in tables])

# ---- reliability: scikit-learn's bins of (right, confidence) ----
y, (a, _) = predictions(400, 4, (1.5, 1.0))
a[:60] = a[0]  # ties
array("int32_t", "reliable_label", y)
array("float", "reliable_scores", a)
sure, right = a.max(1), (a.argmax(1) == y).astype(float)
for name, strategy, bins in (("uniform", "uniform", 15), ("quantile", "quantile", 10)):
    accuracy, confidence = calibration_curve(right, sure, n_bins=bins, strategy=strategy)
    edges = np.linspace(0, 1, bins + 1) if strategy == "uniform" else np.percentile(sure, np.linspace(0, 1, bins + 1) * 100)
    rows = np.bincount(np.searchsorted(edges[1:-1], sure), minlength=bins)
    rows = rows[rows > 0]
    array("double", f"{name}_confidence", confidence)
    array("double", f"{name}_accuracy", accuracy)
    array("double", f"{name}_rows", rows)
    array("double", f"{name}_ece", [(np.abs(accuracy - confidence) * rows).sum() / rows.sum(), np.abs(accuracy - confidence).max()])

# ---- risk over coverage: the mean over many orders of equal confidences ----
y, (b, _) = predictions(250, 3, (1.0, 1.0))
array("int32_t", "selective_label", y)
array("float", "selective_scores", b)
sure, wrong = b.max(1), b.argmax(1) != y
order = np.argsort(-sure, kind="stable")
risk = np.cumsum(wrong[order]) / np.arange(1, 251)
best = np.cumsum(np.sort(wrong)) / np.arange(1, 251)
array("double", "selective_want", [*risk[[int(np.ceil(k * 25)) - 1 for k in range(1, 11)]], risk.mean(), best.mean(), roc_auc_score(~wrong, sure)])

# ---- alignment ----
x = rng.normal(size=(40, 7)).astype(np.float32).astype(float)
z = (x[:, :5] @ rng.normal(size=(5, 9)) + rng.normal(size=(40, 9))).astype(np.float32).astype(float)
h = np.eye(40) - 1 / 40
k, l = h @ x @ x.T @ h, h @ z @ z.T @ h  # the kernel form; weft uses the other one
array("float", "cka_x", x)
array("float", "cka_z", z)
array("double", "cka_want", [(k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())])

# ---- k means from given centres; logistic regression ----
x = np.concatenate([rng.normal(m, 1.1, size=(20, 3)) for m in (0, 2, -2.5)]).astype(np.float32)
k = KMeans(3, init=x[[0, 1, 2]], n_init=1, max_iter=300, tol=0, algorithm="lloyd").fit(x.astype(float))
array("float", "kmeans_x", x)
array("int32_t", "kmeans_member", k.labels_)
array("double", "kmeans_spread", [k.inertia_])
x = rng.normal(size=(90, 4)).astype(np.float32)
y = (x @ rng.normal(size=(4, 3)) + rng.normal(size=(90, 3))).argmax(1)
array("float", "probe_x", x)
array("int32_t", "probe_label", y)
array("double", "probe_want", LogisticRegression(C=0.5, tol=1e-12, max_iter=100000).fit(x.astype(float), y).predict_proba(x.astype(float)))
print("\n".join(out))
