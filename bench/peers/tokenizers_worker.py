"""The `tokenizers` library on one core: whole texts to ids, none cut."""
import array
import hashlib
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers
from worker import serve, texts_read, timed

AT_ONCE = 256


class Peer:
    def load(self, s):
        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(s["model"], "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.texts = texts_read(s["texts"])
        self.at = 0
        return {"versions": {"tokenizers": tokenizers.__version__}}

    def run(self, work, seconds):
        def some():
            texts = self.texts[self.at:self.at + AT_ONCE]
            self.at = (self.at + len(texts)) % len(self.texts)
            self.tokenizer.encode_batch_fast(texts)
            return sum(len(t.encode()) for t in texts)
        some()
        return timed(some, seconds)

    def outputs(self):
        h = hashlib.sha256()
        for e in self.tokenizer.encode_batch(self.texts):
            h.update(array.array("i", e.ids).tobytes())
        return {"outputs": {"tokenize": h.hexdigest()}}


if __name__ == "__main__":
    serve(Peer())
