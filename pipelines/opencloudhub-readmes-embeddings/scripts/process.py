"""Cut the documents into chunks, embed each, publish them with their vectors as Parquet."""

from dreg.stages import embeddings, here
from dreg.stages.chunks import chunks
from dreg.stages.documents import read_documents

work = here()
params = work.params["chunks"]


def read():
    """The chunks of all documents. Change: which of them, and what their vectors are made of."""
    for document in read_documents(work.raw):
        for chunk in chunks(document.text, params["size"], params["overlap"]):
            yield embeddings.passage(document, chunk)


# On a Ray cluster of this machine, or that at RAY_ADDRESS; DREG_COMPUTE_TYPE says how many workers.
print(f"{embeddings.write(read(), work.processed):,} chunks")
