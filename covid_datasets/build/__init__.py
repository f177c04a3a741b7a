"""From records to a finished dataset on disk: plan, workers, quality, layout, manifest."""
