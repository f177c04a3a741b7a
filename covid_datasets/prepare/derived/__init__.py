"""Derived datasets (views): a finished build with other pixels, made as a build is and found as one."""
