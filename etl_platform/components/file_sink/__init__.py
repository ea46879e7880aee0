"""Tables of the lake exported as files, each an asset."""
