"""SQL models: a folder of ``.sql`` files, each an asset."""
