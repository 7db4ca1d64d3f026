"""PyTorch with the `adapters` library: training steps and inference, of batches padded to their longest text, unsorted or sorted by length.
With --memory: trains a fusion of 16 for some steps and tells the largest memory of this process, which does nothing else."""
import math
import os
import resource
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import adapters
import adapters.composition as ac
import safetensors.torch
import torch
import transformers
from adapters import BertAdapterModel
from worker import GRADIENT_ROWS, OUTPUT_ROWS, Texts, latency, serve, timed

transformers.logging.set_verbosity_error()
RATE = 1e-4
MEMORY_STEPS = 4


class Model:
    """One library model with the parts that can be active in it. Each training has an optimiser of its own."""

    def __init__(self, path):
        self.net = BertAdapterModel.from_pretrained(path)
        self.net.add_classification_head("head", num_labels=2)
        self.setups, self.optimisers, self.dropout = {}, {}, {}

    def part(self, name, activate):
        """activate(train) makes the part active; train also sets which parameters learn."""
        self.setups[name] = activate

    def still(self, on):
        """No dropout inside the base, or the base's own again."""
        for m in self.net.base_model.modules():
            for field in ("p", "dropout_prob"):
                if isinstance(m, torch.nn.Dropout) if field == "p" else hasattr(m, field):
                    own = self.dropout.setdefault((m, field), getattr(m, field))
                    setattr(m, field, 0.0 if on else own)

    def use(self, name, train):
        self.setups[name](train)
        self.net.active_head = "head"
        self.net.train(train)
        if not train:
            return None
        if name not in self.optimisers:
            self.optimisers[name] = torch.optim.AdamW([p for p in self.net.parameters() if p.requires_grad], lr=RATE)
        return self.optimisers[name]


def plain_model(path):
    m = Model(path)
    m.part("plain", lambda train: None)
    m.part("full", lambda train: None)
    return m


def fusion_model(path, parts, counts):
    m = Model(path)
    for i in range(max(counts + [1])):
        m.net.load_adapter(os.path.join(parts, "adapters", f"bench{i}"), load_as=f"bench{i}", with_head=False, use_safetensors=True)

    def one(train):
        m.net.train_adapter("bench0") if train else m.net.set_active_adapters("bench0")
    m.part("seq_bn", one)
    for n in counts:
        m.net.load_adapter_fusion(os.path.join(parts, "fusions", str(n)), with_head=False, use_safetensors=True)
        stack = ac.Fuse(*[f"bench{i}" for i in range(n)])

        def fuse(train, stack=stack):
            m.net.train_adapter_fusion(stack) if train else m.net.set_active_adapters(stack)
        m.part(f"fuse:{n}", fuse)
    return m


def lora_model(path, parts):
    m = Model(path)
    m.net.load_adapter(os.path.join(parts, "adapters", "lora"), load_as="bench", with_head=False, use_safetensors=True)

    def one(train):
        m.net.train_adapter("bench") if train else m.net.set_active_adapters("bench")
    m.part("lora", one)
    return m


def gradients_compare(right, found):
    """The worst of the layers of the base, the embeddings and the head, each as one vector: the least cosine and the quotient of lengths farthest from 1.
    In the whole the head and the last layers outweigh the rest, and what goes wrong on the way down would not show. Also names that only one side has."""
    dot = lambda a, b: float(torch.dot(a.flatten().double(), b.flatten().double()))
    sums = {}
    for n in set(right) & set(found):
        words = n.split(".")
        at = sums.setdefault(".".join(words[:3] if words[0] == "encoder" else words[:1]), [0.0, 0.0, 0.0])
        for k, (a, b) in enumerate(((found[n], found[n]), (found[n], right[n]), (right[n], right[n]))):
            at[k] += dot(a, b)
    cosines = [gr / math.sqrt(gg * rr) if gg * rr > 0 else 0.0 for gg, gr, rr in sums.values()]
    lengths = [math.sqrt(gg / rr) if rr > 0 else 0.0 for gg, _, rr in sums.values()]
    if not all(math.isfinite(x) for x in cosines + lengths):
        return {"cosine": None}
    return {"cosine": min(cosines), "length": max(lengths, key=lambda x: abs(x - 1)), "parts": len(sums), "only_one": sorted(set(right) ^ set(found))[:3]}


def batch_of(rows):
    """One text, without labels."""
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.ones(1, len(rows[0]), dtype=torch.long)}


def batch_make(ids, mask):
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask), "labels": torch.arange(len(ids)) % 2}


class Peer:
    def load(self, s):
        torch.manual_seed(s["seed"])
        torch.set_num_threads(s["threads"])
        self.texts = Texts(s)
        path, parts, names = s["model"], s["parts"], s["works"]
        counts = sorted({int(w.split(":")[2]) for w in names if ":fuse:" in w})
        self.models = {}
        if any(w.endswith((":plain", ":full")) for w in names):
            self.models.update(dict.fromkeys(["plain", "full"], plain_model(path)))
        if counts or any(w.endswith(":seq_bn") for w in names):
            self.models.update(dict.fromkeys(["seq_bn"] + [f"fuse:{n}" for n in counts], fusion_model(path, parts, counts)))
        if any(w.endswith(":lora") for w in names):
            self.models["lora"] = lora_model(path, parts)
        self.turns, self.parts = {}, parts
        return {"versions": {"PyTorch": torch.__version__, "adapters": adapters.__version__, "transformers": transformers.__version__}}

    def batches(self, rows, by_length):
        if (rows, by_length) not in self.turns:
            self.turns[rows, by_length] = self.texts.turns(rows, by_length, batch_make)
        return self.turns[rows, by_length]

    def step(self, name, train):
        """batch -> None. A training step as a loop in the library's documentation does it."""
        m = self.models[name]
        optimiser, net = m.use(name, train), m.net

        def learn(batch):
            net(**batch).loss.backward()
            optimiser.step()
            optimiser.zero_grad()

        def infer(batch):
            with torch.inference_mode():
                net(**batch)
        return learn if train else infer

    def run(self, work, seconds):
        work, _, order = work.partition("/")
        kind, name = work.split(":", 1)
        self.models[name].still(order == "still")
        step = self.step(name, kind == "train")
        if kind == "latency":
            one = batch_make([self.texts.one], [[1] * len(self.texts.one)])
            return latency(lambda: step(one), len(self.texts.one), seconds)
        turns = self.batches(32 if kind == "train" else 64, order in ("sorted", "still"))
        step(batch_make([self.texts.one] * 2, [[1] * len(self.texts.one)] * 2))  # wakes what other peers put to sleep

        def one_batch():
            batch, tokens = turns.next()
            step(batch)
            return tokens
        out = timed(one_batch, seconds)
        self.models[name].net.zero_grad()
        return out

    def outputs(self):
        """{part: the mean of each text's last hidden states}, before anything is trained."""
        first = self.texts.ids[:OUTPUT_ROWS]
        found = {}
        for name, m in self.models.items():
            if name == "full":
                continue
            m.use(name, False)
            rows = []
            for ids in first:
                with torch.inference_mode():
                    rows.append(m.net(**batch_of([ids]), output_hidden_states=True).hidden_states[-1][0].mean(0).tolist())
            found[name] = rows
        return {"outputs": found}

    def gradient(self, part, file):
        """How weft's gradient in `file` agrees with this one's, of the loss of the first texts through weft's head, before anything is trained."""
        m = self.models[part]
        m.setups[part](True)
        m.net.eval()  # no dropout
        m.net.zero_grad()
        if "bench" not in m.net.heads:
            m.net.load_head(os.path.join(self.parts, "head"), load_as="bench", use_safetensors=True)
        head = m.net.heads["bench"].requires_grad_(True)
        for i, ids in enumerate(self.texts.ids[:GRADIENT_ROWS]):
            states = m.net(**batch_of([ids]), output_hidden_states=True, head="head").hidden_states[-1]
            logits = torch.nn.Sequential.forward(head, states.mean(1))
            (torch.nn.functional.cross_entropy(logits, torch.tensor([i % 2])) / GRADIENT_ROWS).backward()
        right = {n.removeprefix("bert."): p.grad for n, p in m.net.named_parameters() if p.grad is not None}
        found = gradients_compare(right, safetensors.torch.load_file(file))
        m.net.zero_grad()
        return found


class Memory(Peer):
    def run(self, work, seconds):
        step = self.step(work.split(":", 1)[1], True)
        turns = self.batches(32, False)
        for _ in range(MEMORY_STEPS):
            step(turns.next()[0])
        return {"peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


if __name__ == "__main__":
    serve(Memory() if "--memory" in sys.argv else Peer())
