"""The site: the same texts that are read beside the code, and what the machine that builds it has measured."""
