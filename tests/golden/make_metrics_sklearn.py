#!/usr/bin/env python3
"""Writes metrics_sklearn.h: random predictions and what scikit-learn and scipy say about them.
Usage: make_metrics_sklearn.py > metrics_sklearn.h     (needs numpy, scipy, scikit-learn)"""
import numpy as np
from scipy import stats
from sklearn import metrics as m

rng = np.random.default_rng(11)
out = ["/* Made by make_metrics_sklearn.py with scikit-learn and scipy; do not edit. */", "#include <stdint.h>"]


def array(kind, name, values):
    flat = np.asarray(values).ravel()
    text = ", ".join(f"{float(v)!r}" if kind in ("float", "double") else str(int(v)) for v in flat)
    if kind == "float":
        text = ", ".join(repr(float(np.float32(v))) + "f" if "." in repr(float(np.float32(v))) else repr(float(np.float32(v))) + ".0f" for v in flat).replace(".0.0f", ".0f")
    out.append(f"static const {kind} {name}[] = {{{text}}};")


def ece(p, y, bins=15):
    top, right = p.max(1), p.argmax(1) == y
    b = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    return sum(abs(right[b == k].sum() - top[b == k].sum()) for k in range(bins)) / len(y)


for name, rows, classes in (("three", 60, 3), ("two", 50, 2), ("wide", 40, 12)):  # 12 classes on 40 rows: some never occur
    p = rng.dirichlet(np.ones(classes), rows).astype(np.float32).astype(float)
    y = np.array([rng.choice(classes, p=q / q.sum()) for q in p])
    said = p.argmax(1)
    array("float", f"{name}_scores", p)
    array("int32_t", f"{name}_label", y)
    onehot = np.eye(classes)[y]
    want = [m.accuracy_score(y, said), m.f1_score(y, said, average="macro"), m.matthews_corrcoef(y, said), ece(p, y), ((p - onehot) ** 2).sum(1).mean()]
    if classes == 2:
        want.insert(2, m.f1_score(y, said))
    array("double", f"{name}_want", want)
    each = m.precision_recall_fscore_support(y, said, labels=range(classes), zero_division=np.nan)
    array("double", f"{name}_by_class", np.nan_to_num(np.array(each).T, nan=-1))  # -1: not defined
    array("int32_t", f"{name}_confusion", m.confusion_matrix(y, said, labels=range(classes)))

x = np.round(rng.normal(size=40), 1).astype(np.float32).astype(float)  # rounded: equal ranks occur
t = np.round(0.6 * x + rng.normal(size=40), 1)
array("float", "numbers_scores", x)
array("double", "numbers_target", t)
array("double", "numbers_want", [stats.pearsonr(x, t)[0], stats.spearmanr(x, t)[0], m.mean_absolute_error(t, x), m.mean_squared_error(t, x)])

z = rng.normal(size=(30, 5))
z[:, 4] = -3  # a label that is never predicted nor true
truth = (z + rng.normal(size=z.shape) > 0.3).astype(int)
truth[:, 4] = 0
array("float", "many_scores", z)
array("uint8_t", "many_labels", truth)
said = (z.astype(np.float32) > 0).astype(int)
array("double", "many_want", [m.f1_score(truth, said, average="micro"), m.f1_score(truth, said, average="macro", zero_division=0), m.accuracy_score(truth, said)])
each = m.precision_recall_fscore_support(truth, said, zero_division=np.nan)
array("double", "many_by_class", np.nan_to_num(np.array(each).T, nan=-1))
print("\n".join(out))
