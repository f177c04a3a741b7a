"""From records to a finished dataset on disk: plan, workers, layout, manifest."""
