"""Lungs and infection in chest CT by classical means, what they add up to, and pictures of every step.

`given` checks what somebody hands in, `levels` finds which values are air, lung and tissue, `coarse` makes and unmakes
a coarser grid, `lungs` and `infection` segment, `regions` does it as a region adjacency graph, `quantify` counts.
"""
