"""CTranslate2: the plain encoder, float32 and int8, batches sorted by length. It pads by itself."""
import ctranslate2
import numpy
from worker import OUTPUT_ROWS, Texts, serve, timed

TYPES = {"f32": "float32", "int8": "int8"}


class Peer:
    def load(self, s):
        self.texts = Texts(s)
        self.turns = self.texts.turns(64, True, lambda ids, mask: [row[:sum(m)] for row, m in zip(ids, mask)])
        self.encoders = {t: ctranslate2.Encoder(s["ct2"], device="cpu", compute_type=name, inter_threads=1, intra_threads=s["threads"])
                         for t, name in TYPES.items()}
        return {"versions": {"CTranslate2": ctranslate2.__version__}}

    def run(self, work, seconds):
        encoder = self.encoders[work.split("@")[1]]
        encoder.forward_batch(self.turns.next()[0])

        def one_batch():
            rows, tokens = self.turns.next()
            encoder.forward_batch(rows)
            return tokens
        return timed(one_batch, seconds)

    def outputs(self):
        first = self.texts.ids[:OUTPUT_ROWS]
        rows = lambda e: [numpy.array(e.forward_batch([ids]).last_hidden_state)[0].mean(0).tolist() for ids in first]
        return {"outputs": {"plain@" + t: rows(e) for t, e in self.encoders.items()}}


if __name__ == "__main__":
    serve(Peer())
