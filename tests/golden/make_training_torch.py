"""Writes training_torch.h: numbers of torch and transformers that tests/tape and tests/optim compare with.

Run: python tests/golden/make_training_torch.py > tests/golden/training_torch.h   (torch 2.13.0, transformers 4.57.6, CPU)
All inputs are small closed formulas that the C tests repeat, so that only results are stored.
"""
import math
import torch
from transformers.optimization import (get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                                       get_linear_schedule_with_warmup)


def wave(n, a, b):
    return torch.tensor([math.sin(a * i + b) for i in range(n)], dtype=torch.float64)


def table(name, values, kind="double"):
    rows = ",\n".join("    " + ", ".join("%.17g" % float(v) for v in values[i:i + 4]) for i in range(0, len(values), 4))
    print("static const %s %s[%d] = {\n%s};" % (kind, name, len(values), rows))


def adamw():
    decayed, plain = torch.nn.Parameter(wave(6, 1.0, 0.5)), torch.nn.Parameter(wave(4, 2.0, 1.5))
    opt = torch.optim.AdamW([{"params": [decayed], "weight_decay": 0.1}, {"params": [plain], "weight_decay": 0.0}], lr=1.0)
    for step in range(10):
        for group in opt.param_groups:
            group["lr"] = 0.01 * (1 + step % 3)
        decayed.grad, plain.grad = 3.0 * wave(6, 0.7, step), 0.02 * wave(4, 1.3, 2.0 * step)
        opt.step()
    table("golden_adamw_values", torch.cat([decayed, plain]).tolist())
    table("golden_adamw_m", torch.cat([opt.state[p]["exp_avg"] for p in (decayed, plain)]).tolist())
    table("golden_adamw_v", torch.cat([opt.state[p]["exp_avg_sq"] for p in (decayed, plain)]).tolist())


def clip():
    a, b = torch.nn.Parameter(torch.zeros(6, dtype=torch.float64)), torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    a.grad, b.grad = 3.0 * wave(6, 0.7, 0.0), 2.0 * wave(4, 1.3, 0.0)
    norm = torch.nn.utils.clip_grad_norm_([a, b], 1.5)
    table("golden_clip_norm", [norm])
    table("golden_clip_grad", torch.cat([a.grad, b.grad]).tolist())


def schedules():
    for name, make in (("constant", lambda o: get_constant_schedule_with_warmup(o, 4)),
                       ("linear", lambda o: get_linear_schedule_with_warmup(o, 4, 20)),
                       ("cosine", lambda o: get_cosine_schedule_with_warmup(o, 4, 20)),
                       ("linear_no_warmup", lambda o: get_linear_schedule_with_warmup(o, 0, 20)),
                       ("cosine_no_warmup", lambda o: get_cosine_schedule_with_warmup(o, 0, 20))):
        s = make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
        table("golden_schedule_" + name, [s.lr_lambdas[0](i) for i in range(24)])


def losses():
    x = (2.0 * wave(12, 0.9, 0.3)).reshape(4, 3).requires_grad_()
    label = torch.tensor([2, -100, 0, 1])
    weights = torch.tensor([0.5, 2.0, 1.25], dtype=torch.float64)
    for name, w, e in (("plain", None, 0.0), ("weights", weights, 0.0), ("smooth", None, 0.2), ("both", weights, 0.2)):
        loss = torch.nn.functional.cross_entropy(x, label, weight=w, label_smoothing=e)
        g, = torch.autograd.grad(loss, x)
        table("golden_ce_" + name, [loss] + g.flatten().tolist())
    y = torch.tensor([1, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1], dtype=torch.float64).reshape(4, 3)
    for name, w in (("plain", None), ("weights", weights)):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x, y, pos_weight=w)
        g, = torch.autograd.grad(loss, x)
        table("golden_bce_" + name, [loss] + g.flatten().tolist())


def norm():
    x = wave(15, 1.7, 0.2).reshape(3, 5).requires_grad_()
    gamma, beta = (1.0 + 0.5 * wave(5, 0.4, 0.0)).requires_grad_(), wave(5, 0.6, 1.0).requires_grad_()
    y = torch.nn.functional.layer_norm(x, (5,), gamma, beta, 1e-5)
    g = torch.autograd.grad((y * wave(15, 0.8, 0.9).reshape(3, 5)).sum(), (x, gamma, beta))
    table("golden_norm_y", y.flatten().tolist())
    table("golden_norm_dx", g[0].flatten().tolist())
    table("golden_norm_dgamma", g[1].tolist())
    table("golden_norm_dbeta", g[2].tolist())


print("/* tests/golden/training_torch.h - written by make_training_torch.py (torch %s). Do not edit. */" % torch.__version__)
print("#ifndef WF_GOLDEN_TRAINING_TORCH_H\n#define WF_GOLDEN_TRAINING_TORCH_H")
print("/* clang-format off */")
print("#ifdef GOLDEN_OPTIM")
adamw(); clip(); schedules()
print("#endif\n#ifdef GOLDEN_TAPE")
losses(); norm()
print("#endif\n#endif")
