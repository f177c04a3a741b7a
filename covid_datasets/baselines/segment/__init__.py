"""A small residual U-Net for lungs and infection: what the classical methods lose, above all dense consolidation.

`unet` is the network, `slices` how it sees a scan, `weights` what is kept of a training, `learned` and `taught` make
methods of it for `lung_mask` and `infection_mask`. It is trained as every other model is, by `train`.
"""
