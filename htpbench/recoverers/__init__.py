"""Token recoverers, one file each; a card under baselines/recoverers/ names each."""
