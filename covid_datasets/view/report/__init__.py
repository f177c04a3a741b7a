"""What is in a build, on one page."""
