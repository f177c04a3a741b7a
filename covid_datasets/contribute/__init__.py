"""What contributors and maintainers run: new sources, manifests, listings, pages, what is published."""
