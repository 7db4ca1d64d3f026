"""ONNX Runtime: the plain encoder with mean pooling, float32 and dynamically quantised to int8, batches sorted by length."""
import os

import numpy
import onnxruntime
from worker import OUTPUT_ROWS, Texts, latency, serve, timed


def feed_make(ids, mask):
    return {"input_ids": numpy.array(ids, dtype=numpy.int64), "attention_mask": numpy.array(mask, dtype=numpy.int64)}


class Peer:
    def load(self, s):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = s["threads"], 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.texts = Texts(s)
        self.turns = self.texts.turns(64, True, feed_make)
        self.sessions = {t: onnxruntime.InferenceSession(os.path.join(s["onnx"], t + ".onnx"), options, providers=["CPUExecutionProvider"])
                         for t in ("f32", "int8")}
        return {"versions": {"ONNX Runtime": onnxruntime.__version__}}

    def run(self, work, seconds):
        kind, dtype = work.split(":", 1)[0], work.split("@")[1]
        session = self.sessions[dtype]
        if kind == "latency":
            one = feed_make([self.texts.one], [[1] * len(self.texts.one)])
            return latency(lambda: session.run(None, one), len(self.texts.one), seconds)
        session.run(None, self.turns.next()[0])

        def one_batch():
            feed, tokens = self.turns.next()
            session.run(None, feed)
            return tokens
        return timed(one_batch, seconds)

    def outputs(self):
        rows = lambda session: [session.run(None, feed_make([ids], [[1] * len(ids)]))[0][0].tolist() for ids in self.texts.ids[:OUTPUT_ROWS]]
        return {"outputs": {"plain@" + t: rows(s) for t, s in self.sessions.items()}}


if __name__ == "__main__":
    serve(Peer())
