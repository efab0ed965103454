"""Place what opencloudhub-readmes publishes in data/opencloudhub-readmes-embeddings/raw/, and have the model."""

from dreg.stages import download, upstream

upstream.place()
download.run()
