"""Files in folders and buckets as sources: one asset per pattern of keys."""
