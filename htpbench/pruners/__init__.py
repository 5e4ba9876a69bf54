"""Token pruners, one file each; a card under baselines/pruners/ names each."""
