"""From patients and pictures to splits, and the audit of splits."""
