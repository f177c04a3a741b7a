"""A small residual U-Net for lungs and infection: what the classical methods lose, above all dense consolidation.

`unet` is the network, `examples` and `slices` are what it learns from, `training` is the loop, `weights` what is kept
of it, `learned` makes methods of it for `lung_mask` and `infection_mask`, and running the package trains anew.
"""
