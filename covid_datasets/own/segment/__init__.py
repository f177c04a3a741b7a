"""Lungs and infection in a folder of scans of one's own: `scans` reads, `folder` goes through, `report` sums up."""
