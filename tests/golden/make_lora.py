"""Golden values of LoRA in a linear map, and of what it starts from: PyTorch's own arithmetic and gradients.

    /usr/bin/python3 tests/golden/make_lora.py

Writes tests/golden/lora.safetensors: for `plain` and `quick_gelu`, x, w, b, A, B, the seed dy, y and the gradients of
x, b, A and B. Two images of five rows, in 7, out 6, rank 2.
"""
import json
import os
import struct

import torch


def write(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.manual_seed(5)
    tensors = {}
    for name in ("plain", "quick_gelu"):
        x, w, b = torch.randn(2, 5, 7), torch.randn(6, 7), torch.randn(6)
        A, B, dy = torch.randn(2, 7), torch.randn(6, 2), torch.randn(2, 5, 6)
        for tensor in (x, b, A, B):
            tensor.requires_grad_()
        z = torch.nn.functional.linear(x, w, b) + (x @ A.T) @ B.T
        y = z if name == "plain" else z * torch.sigmoid(1.702 * z)
        y.backward(dy)
        values = {"x": x, "w": w, "b": b, "A": A, "B": B, "dy": dy, "y": y,
                  "dx": x.grad, "db": b.grad, "dA": A.grad, "dB": B.grad}
        tensors.update({f"{name}.{key}": value for key, value in values.items()})
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lora.safetensors"), tensors)


main()
