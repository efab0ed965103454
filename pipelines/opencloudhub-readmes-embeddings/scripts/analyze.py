"""Measure the chunks, and how well questions.yaml finds them; write data/opencloudhub-readmes-embeddings/metadata.json."""

from dreg.stages import profile, retrieval

# Change: figures of your own go in beside recall@5 and mrr, by split and name.
profile.write(metrics=retrieval.metrics("all"))
