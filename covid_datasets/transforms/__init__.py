"""What changes pixels and voxels: pure functions on NumPy arrays, with the geometry that follows.

`windows` turn Hounsfield units into grey, `axes` resample one axis after the other, `orient` turns axes around, and
`grids` put them together for a volume and say where its voxels are then. `joint` changes images and masks together at
random, `filters` repair pictures and say what they changed, `greys` normalise CT whose units were lost.
"""
