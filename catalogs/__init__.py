"""One TOML file per source with every fact about it; ``README.md`` beside this file explains every field."""
