"""Video pose transformers, one file per system; a card under baselines/backbones/ names each."""
