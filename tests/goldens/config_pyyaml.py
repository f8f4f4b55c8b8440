"""Writes config_pyyaml.json: scalars and what PyYAML 6.0 makes of each. Run it in an environment with pyyaml==6.0.2."""

import json
import math
import pathlib

import yaml

TEXTS = """
yes Yes YES yEs no No NO on On ON off Off OFF y n true True TRUE tRue false False FALSE ~ null Null NULL none
0 1 -1 +1 8 08 010 017 0o17 0x10 0xFF 0X10 0b101 -0b11 -010 +0x1f 1_000 1_0_0 1__0 _1 0_1 1_ 0x_1 00 64 007
1:30 24:00 1:60 -1:30 1:2:3 190:20:30 0:30 01:30 1:30.5 1:2:3.25 1:30.5e+1
1e3 1.e3 1.0e3 1.0e+3 1.5E-2 .5 -.5 +.5 5. 5.e+1 1.5 -1.5 +1.5 1_0.5 1.5_0 ._5 . 1.2.3 .inf -.inf +.Inf .INF .nan .NaN inf nan
192 15.5 1/2 12GB 0.5 --1 +-1 1-2 e5 0x 0b2 0b 1e+3
""".split()


def told(value):
    if isinstance(value, str):
        return f"text {value}"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


pairs = []
for text in TEXTS:
    try:
        pairs.append([text, told(yaml.safe_load(f"[{text}]")[0])])
    except (ValueError, yaml.YAMLError):
        pass  # PyYAML resolves it to a number that it cannot read
lines = ",\n".join(json.dumps(pair) for pair in pairs)
pathlib.Path(__file__).with_suffix(".json").write_text(f"[\n{lines}\n]\n")
