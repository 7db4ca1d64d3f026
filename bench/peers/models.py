"""What the peers load, made once below a folder: a random BERT in the Hugging Face form, ONNX files, a CTranslate2 folder.
Usage: models.py random OUT BASE SEED | onnx MODEL OUT | ct2 MODEL OUT"""
import os
import shutil
import sys
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import torch
import transformers
from transformers import BertConfig, BertModel

transformers.logging.set_verbosity_error()


def random_make(out, base, seed):
    """BERT-base's size with the base's vocabulary, tokenizer and dropout."""
    torch.manual_seed(int(seed))
    config = BertConfig.from_pretrained(base)
    config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.intermediate_size = 768, 12, 12, 3072
    BertModel(config).save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json", "modules.json"):
        if os.path.exists(os.path.join(base, name)):
            shutil.copy(os.path.join(base, name), out)
    if os.path.isdir(os.path.join(base, "1_Pooling")):
        shutil.copytree(os.path.join(base, "1_Pooling"), os.path.join(out, "1_Pooling"))


class Pooled(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, input_ids, attention_mask):
        h = self.net(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        keep = attention_mask.unsqueeze(-1).to(h.dtype)
        return (h * keep).sum(1) / keep.sum(1)


def onnx_make(model, out):
    """f32.onnx with ONNX Runtime's own fused operators for BERT, and int8.onnx: that one quantised, a scale for each output channel."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model
    net = BertModel.from_pretrained(model, attn_implementation="eager", add_pooling_layer=False).eval()
    plain = os.path.join(out, "plain.onnx")
    ids = torch.randint(1000, 2000, (2, 8))
    torch.onnx.export(Pooled(net), (ids, torch.ones_like(ids)), plain, input_names=["input_ids", "attention_mask"], output_names=["pooled"],
                      dynamic_axes={"input_ids": {0: "texts", 1: "tokens"}, "attention_mask": {0: "texts", 1: "tokens"}, "pooled": {0: "texts"}},
                      opset_version=17, dynamo=False)
    fused = optimize_model(plain, model_type="bert", num_heads=net.config.num_attention_heads, hidden_size=net.config.hidden_size, opt_level=0)
    fused.save_model_to_file(os.path.join(out, "f32.onnx"))
    quantize_dynamic(os.path.join(out, "f32.onnx"), os.path.join(out, "int8.onnx"), weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
    os.remove(plain)


def ct2_make(model, out):
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(model).convert(out, force=True)


def main(what, *words):
    """Made aside and moved into place, so that a folder that is there is whole."""
    make, out = {"random": (random_make, 0), "onnx": (onnx_make, 1), "ct2": (ct2_make, 1)}[what]
    words = list(words)
    final = words[out]
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(final))) as aside:
        words[out] = os.path.join(aside, "new")
        os.mkdir(words[out])
        make(*words)
        os.rename(words[out], final)


if __name__ == "__main__":
    main(*sys.argv[1:])
