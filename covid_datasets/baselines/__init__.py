"""Reference baselines: networks, recipes, training and what comes of it, tied to a build and its split.

Everything here needs the extra ``[baselines]``: torch, MONAI and safetensors. Importing this imports none of them.
"""
