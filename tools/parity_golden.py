#!/usr/bin/env python3
"""Makes the golden vectors that tests/engine/test_parity.c compares weft with: what the Python `adapters` library computes.

Needs torch, adapters==1.3.0, transformers==4.57.6, safetensors (tools/parity.sh makes such an environment). Run:
    parity_golden.py OUT                 a small random BERT and all cases (tests/golden/parity is made so)
    parity_golden.py OUT --model DIR     a few cases on a real BERT folder (config.json, model.safetensors), for a live check
    parity_golden.py OUT --only NAME     cases whose name holds NAME
    parity_golden.py DIR --check         opens the folders that test_parity.c saved in DIR (WEFT_PARITY_WRITE) and compares logits

Layout: OUT/base (config.json, model.safetensors, vocab.txt), OUT/adapters/NAME (adapters that several fusion cases share),
OUT/CASE/{case.json, tensors.safetensors, adapter/, fusion/, head/}. Folders of trained parts are written by the library itself.
Everything is a function of SEED and of the parameters' names, so a second run gives the same files.

The library is run in float64 on exactly the float32 weights that are stored, and its results are rounded once: what a comparison
shows is weft's own rounding. The same quantities from float32 runs of the library are measured against that, too, and noted in
case.json ("torch_float32", the largest difference by kind of tensor), so that the two can be held side by side. On a real base these
are ORDERS runs besides the plain one, with the feed-forward units in another order: the same function, summed in another order. How
far these lie apart is what float32 can tell there: a gradient of a fusion was seen at 4e-6 in one order and at 1.5e-5 in the next.
Every sequence runs alone, without padding, because the library lets padding tokens into its gates' means; logits are then put
together and the loss is the one of the whole batch. Two-step checks below make sure that this is what the library itself gives.
"""
import argparse
import hashlib
import json
import logging
import os
import re
import shutil

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import adapters  # noqa: E402
import numpy as np  # noqa: E402
import safetensors  # noqa: E402
import safetensors.torch  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from adapters import (AdapterFusionConfig, BertAdapterModel, DoubleSeqBnConfig, LoRAConfig, ParBnConfig,  # noqa: E402
                      SeqBnConfig)
from adapters.composition import Fuse  # noqa: E402
from torch.nn import functional as F  # noqa: E402

SEED = 20210419
STEPS = 3
ORDERS = 6
LR, WEIGHT_DECAY, EPS = 1e-3, 0.01, 1e-8
LAYERS, HIDDEN, VOCAB = 2, 32, 120

# ---- weights ----


def numbers(name, shape):
    """Standard normal numbers that depend on SEED and the name only."""
    key = int.from_bytes(hashlib.sha256(f"{SEED}|{name}".encode()).digest()[:16], "little")
    return torch.from_numpy(np.random.Generator(np.random.Philox(key=key)).standard_normal(tuple(shape)))


def randomise(name, p):
    """Values under which nothing hides: no zeros, no ones, no identity, and signals of about unit size."""
    n = numbers(name, p.shape)
    last = name.split(".")[-1]
    if last == "scaling":
        v = 1 + 0.3 * n
    elif "orm" in name and last == "weight":
        v = 1 + 0.2 * n
    elif p.ndim == 1:
        v = 0.1 * n
    elif "embeddings" in name:
        v = 0.5 * n
    elif ".value.weight" in name and "adapter_fusion_layer" in name:
        v = torch.eye(p.shape[0]) + 0.3 * n / p.shape[1] ** 0.5
    elif "adapter_fusion_layer" in name:
        v = 0.4 * n / p.shape[1] ** 0.5  # scores of about unit size: a softmax near 0 and 1 has gradients that are all rounding
    else:
        v = 0.8 * n / p.shape[1] ** 0.5
    with torch.no_grad():
        p.copy_(v.to(torch.float32))


def base_make(folder):
    config = transformers.BertConfig(
        hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=4, intermediate_size=64, vocab_size=VOCAB,
        max_position_embeddings=24, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-12, hidden_act="gelu")
    model = transformers.BertModel(config)
    for name, p in model.named_parameters():
        randomise(name, p)
    model.save_pretrained(folder, safe_serialization=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(97 + i) for i in range(26)] + ["##" + chr(97 + i) for i in range(26)]
    words += [f"w{i}" for i in range(VOCAB - len(words))]
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("".join(w + "\n" for w in words))


# ---- cases ----

ADAPTERS = {  # that fusions share; names as in their tensors
    "a": SeqBnConfig(reduction_factor=4),
    "b": SeqBnConfig(reduction_factor=8, non_linearity="gelu"),
    "c": SeqBnConfig(reduction_factor=5, non_linearity="tanh", scaling=0.5),
    "d": DoubleSeqBnConfig(reduction_factor=4),
    "e": DoubleSeqBnConfig(reduction_factor=8, non_linearity="relu"),
    "p": ParBnConfig(reduction_factor=4),
    "q": ParBnConfig(reduction_factor=8, scaling="learned"),
    "s": SeqBnConfig(reduction_factor=8, scaling="channel", non_linearity="silu"),
    "n": SeqBnConfig(reduction_factor=8, ln_before=True),
    "g": SeqBnConfig(reduction_factor=8, use_gating=True, ln_after=True),  # fusion takes u: neither gate nor LN nor residual
    "o": SeqBnConfig(reduction_factor=8, original_ln_before=False),
    "r": SeqBnConfig(reduction_factor=8, residual_before_ln="post_add"),
    "l": SeqBnConfig(reduction_factor=8, leave_out=[0]),
    "v": SeqBnConfig(reduction_factor=8, original_ln_after=False),
    "w": SeqBnConfig(reduction_factor=8, residual_before_ln=False),
    "y": SeqBnConfig(reduction_factor=0.25),  # wide enough for the form of a fusion that makes every adapter's output
}


def seq(**kw):
    return SeqBnConfig(**{"reduction_factor": 8, **kw})


def double(**kw):
    return DoubleSeqBnConfig(**{"reduction_factor": 8, **kw})


def par(**kw):
    return ParBnConfig(**{"reduction_factor": 8, **kw})


def lora(**kw):
    return LoRAConfig(**{"r": 4, "alpha": 8, **kw})


def fusion(names, **kw):
    preset = {"dynamic": dict(), "static": dict(value=False, value_initialized=False, regularization=False)}[kw.pop("preset", "dynamic")]
    settings = dict(key=True, query=True, value=True, query_before_ln=False, regularization=True, residual_before=False,
                    temperature=False, value_before_softmax=True, value_initialized=True, dropout_prob=None)
    # Some elements of the large matrices have gradients near 1e-9: with AdamW's usual eps their first step is the sign of a rounding
    # error, also in the library's own float32 run (parameters off by up to 1e-4).
    return {"method": "fusion", "fuse": list(names), "fusion_config": {**settings, **preset, **kw}, "eps": 1e-5}


def cases_all():
    c = {}
    c["plain"] = dict(method="head", head=dict(layers=1))
    # heads
    c["head_classification_2"] = dict(method="head", head=dict(layers=2))
    c["head_pooler"] = dict(method="head", head=dict(layers=1, use_pooler=True))
    c["head_mean"] = dict(method="head", head=dict(layers=2), pooling="mean")
    c["head_regression"] = dict(method="head", kind="regression", head=dict(layers=2))
    c["head_multiple_choice"] = dict(method="head", kind="multiple_choice", head=dict(layers=2))
    c["head_multilabel"] = dict(method="head", kind="multilabel", head=dict(layers=1))
    c["head_pooler_2"] = dict(method="head", head=dict(layers=2, use_pooler=True))
    c["head_regression_1"] = dict(method="head", kind="regression", head=dict(layers=1))
    c["head_multiple_choice_1"] = dict(method="head", kind="multiple_choice", head=dict(layers=1))
    c["head_multilabel_2"] = dict(method="head", kind="multilabel", head=dict(layers=2))
    c["head_weights"] = dict(method="head", head=dict(layers=1), class_weights=[0.5, 2.0, 1.25])
    c["head_smoothing"] = dict(method="head", head=dict(layers=1), class_weights=[0.5, 2.0, 1.25], label_smoothing=0.1)
    # everything trained
    c["full"] = dict(method="full", head=dict(layers=2))
    c["full_mean"] = dict(method="full", head=dict(layers=1), pooling="mean")
    # bottlenecks: places and presets
    for name, config in {
        "seq_bn": seq(), "double_seq_bn": double(), "par_bn": par(), "scaled_par_bn": par(scaling="learned"),
        "seq_bn_attention": seq(mh_adapter=True, output_adapter=False), "par_bn_both": par(mh_adapter=True),
        "adapter_plus": seq(original_ln_before=True, original_ln_after=False, residual_before_ln=False, scaling="channel", non_linearity="gelu"),
        # one flag each
        "seq_ln_before": seq(ln_before=True), "seq_ln_after": seq(ln_after=True),
        "seq_ln_after_residual": seq(ln_after=True, adapter_residual_before_ln=True), "seq_gating": seq(use_gating=True),
        "seq_gating_ln": seq(use_gating=True, ln_before=True, ln_after=True, adapter_residual_before_ln=True), "seq_residual_after_ln": seq(residual_before_ln=False),
        "seq_residual_post_add": seq(residual_before_ln="post_add"), "seq_no_ln_before": seq(original_ln_before=False),
        "seq_no_ln_after": seq(original_ln_after=False), "double_no_ln": double(original_ln_after=False),
        "double_ln_before": double(original_ln_before=True),
        "par_ln": par(ln_before=True, ln_after=True), "par_gating": par(use_gating=True), "par_no_ln_after": par(original_ln_after=False),
        "par_channel": par(scaling="channel"), "seq_scaling": seq(scaling=2.5), "seq_learned": seq(scaling="learned"),
        "seq_channel": seq(scaling="channel"),
        "seq_gelu": seq(non_linearity="gelu"), "seq_gelu_new": seq(non_linearity="gelu_new"), "seq_silu": seq(non_linearity="silu"),
        "seq_tanh": seq(non_linearity="tanh"), "seq_leakyrelu": seq(non_linearity="leakyrelu"),
        "seq_sigmoid": seq(non_linearity="sigmoid"), "seq_relu6": seq(non_linearity="relu6"), "seq_relu2": seq(non_linearity="relu2"),
        "seq_mish": seq(non_linearity="mish"), "seq_quick_gelu": seq(non_linearity="quick_gelu"), "seq_linear": seq(non_linearity="linear"),
        "seq_residual_no_ln": seq(adapter_residual_before_ln=True),
        "double_flags": double(use_gating=True, ln_before=True, scaling="channel"), "double_ln_after": double(ln_after=True),
        "seq_reduction_map": seq(reduction_factor={"1": 4, "default": 5}), "seq_reduction_wide": seq(reduction_factor=0.5),
        "seq_reduction_one": seq(reduction_factor=100), "seq_leave_out": seq(leave_out=[0]), "double_leave_out": double(leave_out=[1]),
    }.items():
        c[name] = dict(method="adapter", config=config)
    c["seq_clip"] = dict(method="adapter", config=seq(), max_grad_norm=0.05)
    c["seq_mean"] = dict(method="adapter", config=seq(), pooling="mean", head=dict(layers=2))
    c["seq_multiple_choice"] = dict(method="adapter", config=seq(), kind="multiple_choice", head=dict(layers=2))
    # LoRA
    for name, config in {
        "lora": lora(), "lora_all": lora(attn_matrices=["q", "k", "v"], intermediate_lora=True, output_lora=True),
        "lora_k": lora(attn_matrices=["k"]), "lora_ffn": lora(selfattn_lora=False, intermediate_lora=True, output_lora=True, alpha=2),
        "lora_q": lora(attn_matrices=["q"]), "lora_v": lora(attn_matrices=["v"]),
        "lora_gating_all": lora(use_gating=True, attn_matrices=["q", "k", "v"], intermediate_lora=True, output_lora=True),
        "lora_gating": lora(use_gating=True), "lora_leave_out": lora(leave_out=[0]), "lora_rank_1": lora(r=1, alpha=3),
    }.items():
        c[name] = dict(method="adapter", config=config)
    # fusion
    c["fusion_1"] = fusion("a")
    c["fusion_2"] = fusion("ab")
    c["fusion_3"] = fusion("abc")
    c["fusion_3_penalty"] = {**fusion("abc"), "penalty": True}
    c["fusion_static"] = fusion("abc", preset="static")
    c["fusion_query_before_ln"] = fusion("ab", query_before_ln=True)
    c["fusion_residual_before"] = fusion("ab", residual_before=True)
    c["fusion_value_after"] = fusion("ab", value_before_softmax=False)
    c["fusion_value_after_residual"] = fusion("ab", value_before_softmax=False, residual_before=True)
    c["fusion_value_random"] = fusion("ab", value_initialized=False)
    c["fusion_no_key"] = fusion("ab", key=False)
    c["fusion_no_query"] = fusion("ab", query=False)
    c["fusion_value_only"] = fusion("ab", key=False, query=False)
    c["fusion_key_only"] = fusion("ab", query=False, value=False)
    c["fusion_none"] = fusion("ab", key=False, query=False, value=False)
    c["fusion_temperature"] = fusion("ab", temperature=True)
    c["fusion_scaling"] = fusion("cs")
    c["fusion_ln_before"] = fusion("an")
    c["fusion_gated"] = fusion("ag")
    c["fusion_last_no_ln"] = fusion("ao")  # the last adapter's settings decide
    c["fusion_last_ln"] = fusion("oa")
    c["fusion_post_add"] = fusion("ar")
    c["fusion_leave_out"] = fusion("la")
    c["fusion_last_no_outer_ln"] = fusion("av")
    c["fusion_last_residual_ln"] = fusion("aw")
    c["fusion_query_before_ln_residual"] = fusion("ab", query_before_ln=True, residual_before=True)
    c["fusion_8"] = fusion("lcsngrba")
    c["fusion_wide"] = fusion("y")
    c["fusion_double"] = fusion("de")
    c["fusion_double_penalty"] = {**fusion("de", query=False), "penalty": True}
    c["fusion_double_static"] = fusion("de", preset="static", query_before_ln=True)
    c["fusion_par"] = fusion("pq")
    c["fusion_par_residual"] = fusion("pq", residual_before=True)
    c["fusion_train_adapters"] = {**fusion("ab"), "train_adapters": True}
    c["fusion_train_adapters_double"] = {**fusion("de"), "train_adapters": True}
    c["fusion_train_adapters_par"] = {**fusion("pq", residual_before=True), "train_adapters": True}
    c["fusion_train_adapters_channel"] = {**fusion("sn", value_before_softmax=False), "train_adapters": True}
    c["fusion_multiple_choice"] = {**fusion("ab"), "kind": "multiple_choice", "head": dict(layers=2)}
    return c


LIVE = ["plain", "head_mean", "seq_bn", "double_seq_bn", "par_bn", "adapter_plus", "seq_gating", "lora", "lora_all", "fusion_3", "fusion_static",
        "fusion_double", "fusion_par", "fusion_train_adapters"]
# AdamW divides by the size of each element's own gradient: its first steps turn the rounding of gradients near zero into whole steps,
# in the library's own float32 run too (parameters of a real base off by 6e-4). With this eps the comparison is one of AdamW again.
LIVE_EPS = 1e-3
KINK = 5e-6  # of the usual size: nothing may lie nearer to a kink of an activation; its gradient would be that of a rounding error

# ---- the batch ----


def batch_make(kind, vocab, lengths, attempt=0):
    """Ragged sequences of real tokens, and their labels. Multiple choice: rows of 3 and 2 sequences."""
    first = [0, 3, 5] if kind == "multiple_choice" else list(range(len(lengths) + 1))
    rng = np.random.Generator(np.random.Philox(key=SEED + len(lengths) + 1000 * attempt))
    ids, types = [], []
    for n in lengths:
        ids.append(torch.from_numpy(rng.integers(5, vocab, n)))
        cut = (n + 1) // 2
        types.append(torch.tensor([0] * cut + [1] * (n - cut)))
    rows = len(first) - 1
    labels = {
        "classification": torch.tensor([2, 0, 1, 2][:rows]),
        "regression": torch.tensor([0.75, -1.5, 0.25, 2.0][:rows], dtype=torch.float64),
        "multiple_choice": torch.tensor([1, 0]),
        "multilabel": torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1], [0, 1, 0, 0]]),
    }[kind]
    return dict(ids=ids, types=types, first=first, labels=labels)


# ---- running the library ----


def model_make(case, base):
    model = BertAdapterModel.from_pretrained(base, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    head = case.get("head") or dict(layers=1)
    kind = case.get("kind", "classification")
    if kind == "classification":
        model.add_classification_head("h", num_labels=3, id2label={0: "no", 1: "maybe", 2: "yes"}, **head)
    elif kind == "regression":
        model.add_classification_head("h", num_labels=1, **head)
    elif kind == "multilabel":
        model.add_classification_head("h", num_labels=4, multilabel=True, id2label={i: f"l{i}" for i in range(4)}, **head)
    else:
        model.add_multiple_choice_head("h", num_choices=3, **head)
    setup = None
    if case["method"] == "adapter":
        model.add_adapter("x", config=case["config"])
        setup = "x"
    elif case["method"] == "fusion":
        for name in case["fuse"]:
            model.add_adapter(name, config=ADAPTERS[name])
        model.add_adapter_fusion(case["fuse"], config=AdapterFusionConfig.from_dict(case["fusion_config"]))
        setup = Fuse(*case["fuse"])
    for name, p in model.named_parameters():
        name = name.removeprefix("bert.")
        if "adapter" in name or ".loras." in name or name.startswith("heads."):
            randomise(name, p)
    if case["method"] == "adapter":
        model.train_adapter(setup)
    elif case["method"] == "fusion":
        model.train_adapter_fusion(setup, unfreeze_adapters=case.get("train_adapters", False))
        for module in model.modules():
            if type(module).__name__ == "BertFusion":  # weft takes temperature: true as 1, where the library's ends
                module.T, module.reduction = 1.0, 0.0
    else:
        for name, p in model.named_parameters():
            p.requires_grad = name.startswith("heads.") or (case["method"] == "full" and "pooler" not in name)
    if setup is not None:
        model.set_active_adapters(setup)
    model.active_head = None
    return model.train()


def forward(model, case, batch):
    """Every sequence on its own: layers [T,H] each, logits [sequences, classes], fusion attention {(site, layer): [T,N]}."""
    layers, logits, attention = None, [], {}
    head = model.heads["h"]
    for ids, types in zip(batch["ids"], batch["types"]):
        more = dict(output_adapter_fusion_attentions=True) if case["method"] == "fusion" else {}
        out = model(input_ids=ids[None], token_type_ids=types[None], output_hidden_states=True, return_dict=True, head=None, **more)
        states = [s[0] for s in out.hidden_states]
        layers = [[s] for s in states] if layers is None else [a + [s] for a, s in zip(layers, states)]
        if case.get("pooling") == "mean":
            pooled = out.last_hidden_state.mean(1)
        else:
            pooled = out.pooler_output if (case.get("head") or {}).get("use_pooler") else out.last_hidden_state[:, 0]
        logits.append(torch.nn.Sequential.forward(head, pooled))
        if case["method"] == "fusion":
            for i, sites in out.adapter_fusion_attentions[",".join(case["fuse"])].items():
                for site, scores in sites.items():
                    a = torch.from_numpy(np.atleast_2d(np.asarray(scores[0])))
                    attention.setdefault((site, i), []).append(a.reshape(len(ids), -1))
    return [torch.cat(s) for s in layers], torch.cat(logits), {k: torch.cat(v) for k, v in attention.items()}


def loss_of(model, case, logits, batch):
    kind, labels = case.get("kind", "classification"), batch["labels"]
    if kind == "multiple_choice":
        first = batch["first"]
        loss = sum(F.cross_entropy(logits[a:b].view(1, -1), labels[i:i + 1]) for i, (a, b) in enumerate(zip(first, first[1:]))) / (len(first) - 1)
    elif kind == "regression":
        loss = F.mse_loss(logits.view(-1), labels.to(logits.dtype))
    elif kind == "multilabel":
        loss = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    else:
        w = case.get("class_weights")
        loss = F.cross_entropy(logits, labels, weight=torch.tensor(w, dtype=logits.dtype) if w else None,
                               label_smoothing=case.get("label_smoothing", 0.0))
    if case.get("penalty"):
        loss = loss + model.get_fusion_regularization_loss()
    return loss


def library_check(model, case, batch, logits):
    """The library's own call with head and labels gives the same logits and losses, where it can take such a batch."""
    if case.get("pooling") == "mean" or case.get("kind") == "multiple_choice" or case.get("class_weights"):
        return
    with torch.no_grad():
        for i, (ids, types) in enumerate(zip(batch["ids"], batch["types"])):
            labels = batch["labels"][i:i + 1]
            labels = labels.to(logits.dtype) if labels.dtype.is_floating_point else labels
            out = model(input_ids=ids[None], token_type_ids=types[None], labels=labels, head="h", return_dict=True)
            assert torch.allclose(out.logits[0], logits[i], atol=1e-12), "the library's own logits differ"
            ours = loss_of(model, {k: v for k, v in case.items() if k != "penalty"}, logits[i:i + 1], {**batch, "labels": batch["labels"][i:i + 1]})
            near = 1e-6 if case.get("kind") == "multilabel" else 1e-12  # it makes those labels float32
            assert abs(out.loss.item() - ours.item()) < near, "the library's own loss differs"


def batch_choose(case, base, vocab, lengths):
    """The first batch under which no input of a relu-like adapter activation comes near the place where its derivative jumps."""
    kinks = {"ReLU": [0.0], "leaky_relu": [0.0], "ReLU6": [0.0, 6.0]}
    model, near = model_make(case, base).to(torch.float64), []
    for module in model.modules():
        if type(module).__name__ == "Activation_Function_Class":
            at = kinks.get(getattr(module.f, "__name__", type(module.f).__name__), [])
            module.register_forward_pre_hook(lambda m, x, at=at: near.extend(((x[0] - k).abs().min() / x[0].abs().median()).item() for k in at))
    for attempt in range(200):
        batch = batch_make(case.get("kind", "classification"), vocab, lengths, attempt)
        near.clear()
        with torch.no_grad():
            forward(model, case, batch)
        if min(near, default=1.0) >= KINK:
            return batch
    raise SystemExit("no batch keeps away from the kinks of its activations")


def units_reorder(named, orders, back=False):
    """The feed-forward units of every layer in the order orders[layer], in place: the same function, summed in another order."""
    with torch.no_grad():
        for name, p in named:
            found = re.search(r"layer\.(\d+)\.(intermediate\.|output\.dense\.)", name)
            if not found or ".attention.output." in name:
                continue
            order, axis = orders[int(found[1])], 0 if found[2] == "intermediate." else p.ndim - 1
            if p.shape[axis] == len(order):
                p.copy_(p.index_select(axis, torch.argsort(order) if back else order))


def run(case, base, batch, dtype, order=None):
    """order: a seed; the feed-forward units change places, and the results are put back in place."""
    model = model_make(case, base).to(dtype)
    if order is not None:
        generator, width = torch.Generator().manual_seed(order), model.config.intermediate_size
        orders = [torch.randperm(width, generator=generator) for _ in range(model.config.num_hidden_layers)]
        units_reorder(model.named_parameters(), orders)
    params = {n.removeprefix("bert."): p for n, p in model.named_parameters() if p.requires_grad}
    flat = {n for n, p in params.items() if p.ndim < 2 or (".value.weight" in n and "adapter_fusion_layer" in n)}
    optimizer = torch.optim.AdamW([{"params": [p for n, p in params.items() if n not in flat], "weight_decay": WEIGHT_DECAY},
                                   {"params": [p for n, p in params.items() if n in flat], "weight_decay": 0.0}], lr=LR, eps=case.get("eps", EPS))
    out = {}
    for step in range(1, STEPS + 1):
        layers, logits, attention = forward(model, case, batch)
        loss = loss_of(model, case, logits, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        used = {n: p for n, p in params.items() if p.grad is not None}
        if step == 1:
            if dtype == torch.float64:
                library_check(model, case, batch, logits)
            out["logits"], out["loss"] = logits, loss.reshape(1)
            out.update({f"layer.{i}": s for i, s in enumerate(layers)})
            sites = {"output_adapter": "ffn_out", "attention": "attn_out", "mh_adapter": "attn_out"}
            out.update({f"fusion.{sites[site]}.{i}.attention": a for (site, i), a in attention.items()})
            out.update({f"grad.{n}": p.grad.clone() for n, p in used.items()})
        if case.get("max_grad_norm"):
            norm = torch.nn.utils.clip_grad_norm_([p for p in used.values()], case["max_grad_norm"])
            if step == 1:
                out["grad_norm"] = norm.reshape(1)
        optimizer.step()
        if step == STEPS:
            out.update({f"step{step}.{n}": p for n, p in used.items()})
        out = {k: v.detach().clone() for k, v in out.items()}
    if order is not None:
        units_reorder(out.items(), orders, back=True)
    unused = sorted(n for n in params if f"grad.{n}" not in out)
    return model, out, unused


# ---- writing ----


def difference(a, b, least):
    """As test_parity.c measures it."""
    a, b = a.to(torch.float64), b.to(torch.float64)
    return ((a - b).abs().max() / max(least, b.abs().max().item(), 1e-30)).item() if b.numel() else 0.0


def part_dirs_write(case, model, out, folder):
    """The untouched parts, as the library saves them. `model` has been made anew: nothing is trained yet."""
    parts = {"adapters": [], "fusion": None, "head": "head"}
    model.save_head(os.path.join(folder, "head"), "h", use_safetensors=True)
    if case["method"] == "adapter":
        model.save_adapter(os.path.join(folder, "adapter"), "x", with_head=False, use_safetensors=True)
        parts["adapters"] = [{"name": "x", "dir": "adapter"}]
    if case["method"] == "fusion":
        for name in case["fuse"]:
            shared = os.path.join(out, "adapters", name)
            if not os.path.exists(shared):
                os.makedirs(os.path.dirname(shared), exist_ok=True)
                model.save_adapter(shared, name, with_head=False, use_safetensors=True)
            parts["adapters"].append({"name": name, "dir": f"../adapters/{name}"})
        model.save_adapter_fusion(os.path.join(folder, "fusion"), case["fuse"], use_safetensors=True)
        parts["fusion"] = "fusion"
    for top, _, files in [*os.walk(folder), *os.walk(os.path.join(out, "adapters"))]:  # no path of this machine may get into the files
        for f in files:
            if f.endswith(".json"):
                path = os.path.join(top, f)
                data = json.load(open(path))
                if data.get("model_name"):
                    data["model_name"] = ""
                json_write(path, data)
    return parts


def json_write(path, data):
    with open(path, "w") as f:
        json.dump(data, f, indent=2, sort_keys=True)
        f.write("\n")


def case_write(name, case, base, out, live):
    folder = os.path.join(out, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    config = json.load(open(os.path.join(base, "config.json")))
    kind = case.get("kind", "classification")
    lengths = ([12, 40, 1, 80] if live else [5, 9, 1, 12]) + ([7] if kind == "multiple_choice" else [])
    batch = batch_choose(case, base, config["vocab_size"], lengths)
    if live:
        case = {**case, "eps": LIVE_EPS}
    parts = part_dirs_write(case, model_make(case, base), out, folder)
    _, exact, unused = run(case, base, batch, torch.float64)
    singles = [run(case, base, batch, torch.float32, order)[1] for order in ([None, *range(ORDERS)] if live else [None])]
    grads = {k: v.abs().max().item() for k, v in exact.items() if k.startswith("grad.")}
    top = max(grads.values())
    null = sorted(k.removeprefix("grad.") for k, g in grads.items() if g < 1e-12 * top)  # zero but for rounding
    worst = {}
    for k, v in exact.items():
        bare = k.removeprefix("grad.") if k.startswith("grad.") else k.split(".", 1)[1] if k.startswith("step") else None
        if bare in null:
            continue
        group = k.split(".")[0]
        worst[group] = max(worst.get(group, 0.0), *(difference(s[k], v, 1e-2 * top if group == "grad" else 0.0) for s in singles))
    tensors = {k: v.to(torch.float32).contiguous() for k, v in exact.items()}
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    label_type = {"regression": torch.float32, "multilabel": torch.uint8}.get(kind, torch.int32)
    tensors.update(ids=torch.cat(batch["ids"]).to(torch.int32), types=torch.cat(batch["types"]).to(torch.uint8),
                   offsets=torch.from_numpy(offsets).to(torch.int64), first=torch.tensor(batch["first"], dtype=torch.int64),
                   labels=batch["labels"].to(label_type))
    safetensors.torch.save_file(tensors, os.path.join(folder, "tensors.safetensors"), metadata={"format": "pt"})
    json_write(os.path.join(folder, "case.json"), {
        "format": 1, "case": name, "base": os.path.abspath(base) if live else "../base", "method": case["method"], **parts,
        "kind": kind, "pooling": case.get("pooling", "cls"), "class_weights": case.get("class_weights"),
        "label_smoothing": case.get("label_smoothing", 0.0), "penalty": case.get("penalty", False),
        "train_adapters": case.get("train_adapters", False), "real_base": live, "max_grad_norm": case.get("max_grad_norm", 0.0), "steps": STEPS,
        "optimizer": {"name": "AdamW", "lr": LR, "weight_decay": WEIGHT_DECAY, "betas": [0.9, 0.999], "eps": case.get("eps", EPS),
                      "no_decay": "parameters of rank 1, and the value matrices of fusions"},
        "null_gradient": null, "unused": unused, "seed": SEED, "torch_float32": {k: float(f"{v:.1e}") for k, v in sorted(worst.items())},
        "versions": {"adapters": adapters.__version__, "torch": torch.__version__, "transformers": transformers.__version__,
                     "safetensors": safetensors.__version__, "numpy": np.__version__},
    })
    return worst


# ---- opening what weft wrote ----


def folders_check(top):
    """Every case's folders are loaded by the library alone; its logits in float64 against those that weft computed. Failures' count."""
    worst, passed, failed = 0.0, 0, 0
    for name in sorted(os.listdir(top)):
        folder = os.path.join(top, name)
        case = json.load(open(os.path.join(folder, "case.json")))
        tensors = safetensors.torch.load_file(os.path.join(folder, "tensors.safetensors"))
        model = BertAdapterModel.from_pretrained(case["base"], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        names = [model.load_adapter(os.path.join(folder, a["dir"]), with_head=False, use_safetensors=True) for a in case["adapters"]]
        assert names == [a["name"] for a in case["adapters"]]
        if case["fusion"]:
            model.load_adapter_fusion(os.path.join(folder, "fusion"), use_safetensors=True)
            for module in model.modules():
                if type(module).__name__ == "BertFusion":
                    module.T, module.reduction = 1.0, 0.0
        if names:
            model.set_active_adapters(Fuse(*names) if case["fusion"] else names[0])
        model.load_head(os.path.join(folder, "head"), use_safetensors=True)
        model.active_head = None
        model = model.to(torch.float64).eval()
        offsets = tensors["offsets"].tolist()
        batch = {k: [tensors[k][a:b].to(torch.int64) for a, b in zip(offsets, offsets[1:])] for k in ("ids", "types")}
        use_pooler = bool(model.heads["h"].config.get("use_pooler"))
        with torch.no_grad():
            _, logits, _ = forward(model, {**case, "fuse": names, "head": dict(use_pooler=use_pooler)}, batch)
        off = difference(tensors["logits"], logits, 0.0)
        good = off <= 1e-5
        worst, passed, failed = max(worst, off), passed + good, failed + (not good)
        if not good:
            print(f"{name}: the library's logits differ by {off:.1e}")
    print(f"folders written by weft: {passed} passed, {failed} failed, worst difference of logits {worst:.1e}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--model")
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(1 if not a.model else 2)
    torch.manual_seed(SEED)
    logging.getLogger("adapters").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    # The library registers the LayerNorm of ln_before twice, and safetensors refuses tensors that share memory: copies then. Both
    # names are in the file, as they are in the library's .bin files.
    save = adapters.loading.save_file
    adapters.loading.save_file = lambda tensors, *args, **kw: save({k: v.clone() for k, v in tensors.items()}, *args, **kw)
    if a.check:
        raise SystemExit(1 if folders_check(a.out) else 0)
    os.makedirs(a.out, exist_ok=True)
    base = a.model or os.path.join(a.out, "base")
    if not a.model:
        base_make(base)
    for name, case in cases_all().items():
        if a.only in name and (not a.model or name in LIVE):
            worst = case_write(name, case, base, a.out, bool(a.model))
            print(f"{name:32s} torch float32 against float64: " + " ".join(f"{k} {v:.1e}" for k, v in worst.items()), flush=True)


if __name__ == "__main__":
    main()
