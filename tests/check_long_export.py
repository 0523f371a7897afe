#!/usr/bin/python3
"""check_long_export.py make TOWER CLIP | compare GEND OUT BASE - see check_long_export.sh.

make: a whole CLIP of random weights into the folder CLIP, whose vision tower has the shape of TOWER's config.json.
compare: OUT-gend in GenD's class against OUT.json, OUT-hf in CLIPVisionModel against OUT.safetensors.
"""
import json
import os
import shutil
import sys

import safetensors.torch
import torch
import transformers
from PIL import Image

BOUND = 1e-5
# A base without CLIP's projection, which GenD's class builds and does not use (docs/formats.md).
MISSING = {"whole-clip": set(), "tower": {"feature_extractor.visual_projection.weight"}}
# The head beside the encoder, which CLIPVisionModel does not have.
UNEXPECTED = {"model.linear.weight", "model.linear.bias"}
# What resizes as Pillow does; versions before 5 call it CLIPImageProcessor.
PROCESSOR = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)


def expect(condition, message):
    if not condition:
        sys.exit(f"failed: {message}")


def make(tower, clip):
    torch.manual_seed(11)
    with open(os.path.join(tower, "config.json")) as file:
        vision = json.load(file)
    for key in ("architectures", "model_type", "torch_dtype"):
        del vision[key]
    text = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    text |= {"num_attention_heads": 2, "max_position_embeddings": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=48)
    model = transformers.CLIPModel(config)
    for value in model.parameters():  # so that every bias and every LayerNorm matters
        value.data += 0.05 * torch.randn_like(value)
    model.save_pretrained(clip)
    shutil.copy(os.path.join(tower, "preprocessor_config.json"), clip)


def load(model_class, folder, missing, unexpected):
    model, info = model_class.from_pretrained(folder, output_loading_info=True)
    for kind, known in (("missing_keys", missing), ("unexpected_keys", unexpected)):
        expect(set(info[kind]) == known, f"{folder}: {kind} are {sorted(info[kind])}")
    expect(not info["mismatched_keys"], f"{folder}: {info['mismatched_keys']}")
    stored = safetensors.torch.load_file(os.path.join(folder, "model.safetensors"))
    state = model.state_dict()
    for name in stored.keys() - unexpected:
        expect(torch.equal(stored[name], state[name]), f"{folder}: {name} is loaded otherwise")
    return model.eval(), len(stored)


def changed_norms(gend, base):
    """How many LayerNorm tensors of the export are not the base's."""
    base = safetensors.torch.load_file(os.path.join(base, "model.safetensors"))
    prefix = "feature_extractor."
    norms = {name: value for name, value in gend.state_dict().items() if "norm" in name or "layrnorm" in name}
    return sum(not torch.equal(value, base[name.removeprefix(prefix)]) for name, value in norms.items()), len(norms)


@torch.no_grad()
def compare(source, out, base):
    sys.path.insert(0, source)
    # GenD's class only preprocesses images with it; the real one would want a tokenizer's files too.
    transformers.CLIPProcessor = PROCESSOR
    from src.hf.modeling_gend import GenD

    with open(f"{out}.json") as file:
        rows = json.load(file)
    images = [Image.open(row["path"]) for row in rows]
    ours = torch.tensor([row["p_fake"] for row in rows], dtype=torch.float64)
    expect(len(rows) >= 8 and ours.max() - ours.min() > 1e-2, f"the images do not differ: {ours.tolist()}")

    gend, count = load(GenD, f"{out}-gend", MISSING[base], set())
    changed, norms = changed_norms(gend, os.path.join(os.path.dirname(out), base))
    expect(changed > norms // 2, f"{changed} of {norms} LayerNorm tensors differ from the base's")
    pixels = torch.stack([gend.feature_extractor.preprocess(image) for image in images])
    theirs = gend(pixels).softmax(dim=-1)[:, 1].double()
    difference = (theirs - ours).abs().max().item()
    print(f"  gend: {count} tensors, missing {sorted(MISSING[base])}, {changed} of {norms} LayerNorm tensors tuned")
    print(f"  p_fake of {len(rows)} images from {ours.min():.6f} to {ours.max():.6f}, apart by {difference:.1e}")
    expect(difference <= BOUND, f"p_fake is apart by {difference:.1e}, more than {BOUND}")

    vision, count = load(transformers.CLIPVisionModel, f"{out}-hf", set(), UNEXPECTED)
    processor = PROCESSOR.from_pretrained(f"{out}-hf")
    seen = torch.stack([processor(images=image, return_tensors="pt")["pixel_values"][0] for image in images])
    expect(torch.equal(seen, pixels), f"{out}-hf: preprocesses otherwise")
    ours = safetensors.torch.load_file(f"{out}.safetensors")["features"]
    theirs = vision(pixel_values=seen).pooler_output
    difference = ((theirs - ours).norm(dim=1) / ours.norm(dim=1)).max().item()
    print(f"  hf: {count} tensors, unexpected {sorted(UNEXPECTED)}, features apart by {difference:.1e}, relative")
    expect(difference <= BOUND, f"features are apart by {difference:.1e}, more than {BOUND}")


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    print(f"  transformers {transformers.__version__}, torch {torch.__version__}")
    compare(*sys.argv[2:])
