"""The ledger of published splits: each is read from its publisher's own files, and audited."""
