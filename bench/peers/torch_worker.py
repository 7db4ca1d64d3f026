"""PyTorch with the `adapters` library: training steps and inference, of batches padded to their longest text, unsorted or sorted by length.
With --memory: trains a fusion of 16 for some steps and tells the largest memory of this process, which does nothing else."""
import os
import resource
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import adapters
import adapters.composition as ac
import torch
import transformers
from adapters import BertAdapterModel
from worker import OUTPUT_ROWS, Texts, latency, serve, timed

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
    m.net.load_adapter(os.path.join(parts, "adapters", "lora"), load_as="lora", with_head=False, use_safetensors=True)

    def one(train):
        m.net.train_adapter("lora") if train else m.net.set_active_adapters("lora")
    m.part("lora", one)
    return m


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
        self.turns = {}
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
                batch = batch_make([ids], [[1] * len(ids)])
                del batch["labels"]
                with torch.inference_mode():
                    rows.append(m.net(**batch, output_hidden_states=True).hidden_states[-1][0].mean(0).tolist())
            found[name] = rows
        return {"outputs": found}


class Memory(Peer):
    def run(self, work, seconds):
        step = self.step(work.split(":", 1)[1], True)
        turns = self.batches(32, False)
        for _ in range(MEMORY_STEPS):
            step(turns.next()[0])
        return {"peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


if __name__ == "__main__":
    serve(Memory() if "--memory" in sys.argv else Peer())
